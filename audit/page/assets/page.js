// Fetches the log's files from this page's own host and shows what the check, which is WebAssembly, found.
// Nothing here decides: a verdict's class and text come from the check, and until it has spoken the page
// says that nothing was verified.
import init, { Files, check, failure, paths } from "./verify.js";

const AT_ONCE = 8;
const FILE_LEN_MAX = 256 * 65537;
const PATIENCE_MS = 60_000;
const verdict = document.getElementById("verdict");
const picker = document.getElementById("trust-file");
const written = new Map(["fleets", "history"].map((id) => [id, document.getElementById(id).textContent]));
let running = 0;

function say(outcome, html) {
  verdict.dataset.outcome = outcome;
  verdict.innerHTML = html;
}

// A file's bytes, or nothing: what is missing is the check's to judge.
async function fetched(path) {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", signal });
    // Who serves endless files serves this script as well: the time limit is against broken hosts.
    if (!answer.ok || Number(answer.headers.get("content-length") ?? 0) > FILE_LEN_MAX) return null;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return bytes.length <= FILE_LEN_MAX ? bytes : null;
  } catch {
    return null;
  }
}

async function fill(files, wanted) {
  let next = 0;
  const worker = async () => {
    while (next < wanted.length) {
      const path = wanted[next++];
      const bytes = await fetched(path);
      if (bytes) files.put(path, bytes);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

// What the page says in its own words is replaced by what the log says. If both are of one epoch and
// differ, the visitor was about to read something else.
function show(told) {
  const same = Number(document.body.dataset.epochs) === told.epochs;
  const differing = [];
  for (const id of ["fleets", "checkpoint", "history"]) {
    const place = document.getElementById(id);
    place.innerHTML = told[id];
    if (same && written.has(id) && written.get(id) !== place.textContent) differing.push(id);
  }
  return differing;
}

async function run(trust, whose) {
  const own = ++running;
  say("running", "<h2>Checking…</h2><p>Fetching the log’s files from this host.</p>");
  const checkpoint = await fetched("checkpoint");
  let told;
  if (!trust) {
    told = JSON.parse(failure("trust", "trust.json could not be fetched", whose, Date.now()));
  } else if (!checkpoint) {
    told = JSON.parse(failure("log", "checkpoint could not be fetched", whose, Date.now()));
  } else {
    const files = new Files();
    const wanted = JSON.parse(paths(trust, checkpoint));
    await fill(files, wanted);
    if (own !== running) return;
    say("running", `<h2>Checking…</h2><p>${wanted.length} files are here.</p>`);
    await new Promise((resolve) => setTimeout(resolve, 0));
    told = JSON.parse(check(trust, checkpoint, files, whose, Date.now()));
    files.free();
  }
  if (own !== running) return;
  say(told.outcome, told.verdict);
  if (told.outcome !== "verified") return;
  const differing = show(told);
  if (differing.length > 0) {
    const warning = document.createElement("p");
    warning.className = "warning";
    warning.textContent =
      "This page’s own text said something else than the log (" + differing.join(", ") +
      "). It was replaced by what the log says. Somebody changed the page: do not rely on it.";
    verdict.dataset.outcome = "altered";
    verdict.append(warning);
  }
}

try {
  await init({ module_or_path: new URL("verify_bg.wasm", import.meta.url) });
  document.getElementById("own").hidden = false;
  picker.addEventListener("change", async () => {
    const file = picker.files[0];
    if (file) {
      const bytes = file.size <= FILE_LEN_MAX ? new Uint8Array(await file.arrayBuffer()) : new Uint8Array(0);
      await run(bytes, `your own trust file ${file.name}`);
    }
  });
  await run(await fetched("trust.json"), "the trust file that this page ships");
} catch (error) {
  say("unchecked", "<h2>Not verified: the check could not run</h2><p></p>");
  verdict.querySelector("p").textContent = `${error}. The commands below check the log without this page.`;
}
