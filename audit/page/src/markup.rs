//! Findings as HTML. What comes out of a log is text here, whatever it contains.

use crate::{
    report::{Facts, Outcome, Report},
    time::{ago, utc},
};
use core::fmt::Write as _;
use strongroom_manifest::{Fleet, Hex, Manifest, Protection};
use strongroom_tlog::policy::Vouched;
use strongroom_verify::CheckedEpoch;

/// A value longer than this is shown by its ends.
const SHOWN_LEN_MAX: usize = 64;

/// Text between tags or in a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            sign => safe.push(sign),
        }
    }
    safe
}

/// A moment, for people and for programs.
fn moment(ms: u64) -> String {
    let text = utc(ms);
    let machine = text.replacen(' ', "T", 1).replace(" UTC", "Z");
    format!("<time datetime=\"{machine}\">{text}</time>")
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// What a check found, as the first thing that a visitor reads.
pub(crate) fn verdict(report: &Report, trust: &str, now_ms: u64) -> String {
    let (headline, meaning) = match (report.outcome(), report.proven()) {
        (Outcome::Verified, facts) => {
            let epochs = facts.map_or(0, |facts| facts.epochs.len());
            let all = if epochs == 1 {
                "the one epoch".to_owned()
            } else {
                format!("all {epochs} epochs")
            };
            (
                format!("Verified in this browser: {all}"),
                "Fleets, witnesses and changes below are what the log says.",
            )
        }
        (Outcome::Contradiction, _) => (
            "Contradiction: this log breaks its own rules".to_owned(),
            "Its signed root leads to an epoch that must not exist. Keep the files below this address: \
             they are evidence against the log and its auditor. Trust no key on this page.",
        ),
        (Outcome::Refused, _) => (
            "Not verified: what was served is not what the trust file asks for".to_owned(),
            "Somebody between log and browser may have spoilt it, or the trust file is for another log. \
             What stands below was not checked: run the commands at the end on your own machine.",
        ),
        (Outcome::Unchecked, _) => (
            "Not verified: something could not be had".to_owned(),
            "This says nothing for or against the log, and what stands below was not checked. Try again, or \
             run the commands at the end.",
        ),
    };
    let mut html = format!("<h2>{}</h2><p>{}</p><ol class=\"stages\">", escape(&headline), meaning);
    for stage in report.stages() {
        let (class, mark, said) =
            if stage.holds { ("holds", "✓", "holds") } else { ("fails", "✕", "does not hold") };
        let _ = write!(
            html,
            "<li class=\"{class}\"><span class=\"mark\" aria-hidden=\"true\">{mark}</span>\
             <strong>{}</strong><span class=\"said\"> {said}: </span><span>{}</span></li>",
            escape(stage.name),
            escape(&stage.text)
        );
    }
    let _ = write!(
        html,
        "</ol><p class=\"basis\">Checked against {}, by this device’s clock at {}.</p>",
        escape(trust),
        moment(now_ms)
    );
    html
}

/// The fleets of today.
pub(crate) fn fleets(manifest: &Manifest) -> String {
    let mut html = format!(
        "<p>Epoch {} · valid from {} until {} · {} of {} custodians sign the next · {} attempts in a row, \
         {} failures a year.</p>",
        manifest.epoch,
        moment(manifest.not_before_ms),
        moment(manifest.not_after_ms),
        manifest.custodians.threshold,
        manifest.custodians.keys.len(),
        manifest.policy.row,
        manifest.policy.year,
    );
    for fleet in &manifest.fleets {
        one_fleet(&mut html, fleet);
    }
    html
}

fn one_fleet(html: &mut String, fleet: &Fleet) {
    let (protection, means) = match fleet.protection {
        Protection::Software => ("software", "development only: nothing guards it"),
        Protection::KeysOnly => {
            ("keys-only", "keys in tokens; the process that counts attempts is believed")
        }
        Protection::KeysAndLogic => {
            ("keys-and-logic", "keys and the counting of attempts in hardware")
        }
    };
    let measurement = if fleet.measurement.is_empty() {
        "none: nothing measures this code".to_owned()
    } else {
        code(&fleet.measurement)
    };
    let _ = write!(
        html,
        "<article class=\"fleet\"><h3>Fleet {}</h3><dl><div><dt>Protection</dt><dd><strong>{protection}</strong>: {means}</dd></div>\
         <div><dt>Measurement</dt><dd>{measurement}</dd></div><div><dt>Slots</dt><dd>{}<br>to {}</dd></div>\
         <div><dt>Keysets</dt><dd>{}</dd></div></dl>",
        escape(&fleet.id),
        code(&digits(&fleet.slots.first)),
        code(&digits(&fleet.slots.last)),
        fleet.keysets.len(),
    );
    html.push_str(
        "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Node</th><th scope=\"col\">Site</th>\
         <th scope=\"col\">Identity key</th></tr></thead><tbody>",
    );
    for node in &fleet.nodes {
        let _ = write!(
            html,
            "<tr><th scope=\"row\" data-label=\"Node\">{}</th><td data-label=\"Site\">{}</td><td data-label=\"Identity key\">{}</td></tr>",
            node.id,
            escape(&node.site),
            code(&digits(&node.identity_key))
        );
    }
    html.push_str("</tbody></table></div></article>");
}

/// The checkpoint and who cosigned it. `now_ms` where ages can be told: not in a text that grows old.
pub(crate) fn checkpoint(facts: &Facts, now_ms: Option<u64>) -> String {
    let head = facts.checkpoint.head();
    let age = |ms: u64| {
        now_ms.map_or_else(String::new, |now_ms| {
            format!(" <span class=\"age\">{}</span>", ago(ms, now_ms))
        })
    };
    let newest = facts.witnesses.iter().map(|witness| witness.timestamp).max().unwrap_or_default();
    let newest = newest.saturating_mul(1_000);
    let mut html = format!(
        "<dl><div><dt>Origin</dt><dd>{}</dd></div><div><dt>Epochs</dt><dd>{}</dd></div><div><dt>Root</dt><dd>{}</dd></div>\
         <div><dt>File</dt><dd><a href=\"checkpoint\">checkpoint</a>, {} bytes</dd></div>\
         <div><dt>Newest cosignature</dt><dd>{}{}</dd></div></dl>\
         <div class=\"wide\"><table><thead><tr><th scope=\"col\">Witness</th><th scope=\"col\">Key name</th><th scope=\"col\">Cosigned</th></tr></thead><tbody>",
        code(facts.checkpoint.origin()),
        head.size,
        code(&head.root.to_string()),
        facts.checkpoint_len,
        moment(newest),
        age(newest),
    );
    for Vouched { name, key_name, timestamp } in &facts.witnesses {
        let ms = timestamp.saturating_mul(1_000);
        let _ = write!(
            html,
            "<tr><th scope=\"row\" data-label=\"Witness\">{}</th><td data-label=\"Key name\">{}</td><td data-label=\"Cosigned\">{}{}</td></tr>",
            escape(name),
            code(key_name),
            moment(ms),
            age(ms)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

/// Every epoch, the latest first; those that changed nothing stand together.
pub(crate) fn history(epochs: &[CheckedEpoch]) -> String {
    let mut html = String::new();
    let mut rest = epochs;
    while let Some((last, before)) = rest.split_last() {
        if last.deltas.is_empty() {
            let same = rest.iter().rev().take_while(|epoch| epoch.deltas.is_empty()).count();
            let (others, run) = rest.split_at(rest.len() - same);
            unchanged(&mut html, run);
            rest = others;
        } else {
            changed(&mut html, last);
            rest = before;
        }
    }
    html
}

fn unchanged(html: &mut String, run: &[CheckedEpoch]) {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
    let title = if first.epoch == last.epoch {
        format!("Epoch {}", first.epoch)
    } else {
        format!("Epochs {} to {}", first.epoch, last.epoch)
    };
    let _ = write!(
        html,
        "<article class=\"epoch quiet\"><details><summary><h3>{title}</h3>\
         <span>no key, role, custodian or setting changed</span></summary>"
    );
    html.push_str(
        "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Epoch</th><th scope=\"col\">Audited</th>\
         <th scope=\"col\">SHA-256 of the manifest</th></tr></thead><tbody>",
    );
    for epoch in run.iter().rev() {
        let _ = write!(
            html,
            "<tr><th scope=\"row\" data-label=\"Epoch\">{}</th><td data-label=\"Audited\">{}</td><td data-label=\"SHA-256\">{}</td></tr>",
            epoch.epoch,
            moment(epoch.audited_ms),
            code(&hex::encode(epoch.digest))
        );
    }
    html.push_str("</tbody></table></div></details></article>");
}

fn changed(html: &mut String, epoch: &CheckedEpoch) {
    let (count, genesis) = (epoch.deltas.len(), epoch.epoch == 1);
    let what = match (genesis, count) {
        (true, count) => format!("the first: {count} entries, all new"),
        (false, 1) => "1 change".to_owned(),
        (false, count) => format!("{count} changes"),
    };
    let open = if genesis { "" } else { " open" };
    let _ = write!(
        html,
        "<article class=\"epoch\"><details{open}><summary><h3>Epoch {}</h3><span>{what}</span></summary>\
         <p>Audited {} · SHA-256 of the manifest {}</p>\
         <div class=\"wide\"><table class=\"deltas\"><thead><tr><th scope=\"col\">Kind</th><th scope=\"col\">What</th><th scope=\"col\">Before</th>\
         <th scope=\"col\">After</th></tr></thead><tbody>",
        epoch.epoch,
        moment(epoch.audited_ms),
        code(&hex::encode(epoch.digest))
    );
    for delta in &epoch.deltas {
        let kind = kind(&delta.subject);
        let _ = write!(
            html,
            "<tr><td data-label=\"Kind\"><span class=\"kind {kind}\">{kind}</span></td><th scope=\"row\">{}</th>\
             <td data-label=\"Before\">{}</td><td data-label=\"After\">{}</td></tr>",
            escape(&shortened_words(&delta.subject)),
            side(delta.before.as_deref(), "new"),
            side(delta.after.as_deref(), "gone")
        );
    }
    html.push_str("</tbody></table></div></details></article>");
}

/// What a change is of, by the names that `strongroom_manifest::deltas` gives.
fn kind(subject: &str) -> &'static str {
    let ends = |suffix| subject.ends_with(suffix);
    if subject.starts_with("custodian") {
        "custodian"
    } else if subject.starts_with("policy ") {
        "policy"
    } else if ends(" roles") {
        "role"
    } else if ends("_key") || subject.contains(" keyset ") || subject.starts_with("ticket key ") {
        "key"
    } else {
        "fleet"
    }
}

fn side(value: Option<&str>, otherwise: &str) -> String {
    match value {
        None => format!("<em>{otherwise}</em>"),
        Some("") => "<em>empty</em>".to_owned(),
        Some(value) => code(&shortened(value)),
    }
}

fn shortened_words(subject: &str) -> String {
    subject.split(' ').map(shortened).collect::<Vec<_>>().join(" ")
}

/// A long value by its ends; its length tells that something is left out.
fn shortened(value: &str) -> String {
    let plain = value.is_ascii() && value.len() > SHOWN_LEN_MAX;
    match (value.get(..16), value.get(value.len().saturating_sub(16)..)) {
        (Some(first), Some(last)) if plain => {
            format!("{first}…{last} ({} characters)", value.len())
        }
        _ => value.to_owned(),
    }
}

fn digits<const N: usize>(key: &Hex<N>) -> String {
    format!("{key:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_manifest::Delta;

    fn epoch(number: u64, deltas: Vec<Delta>) -> CheckedEpoch {
        let custodians = strongroom_verify::Counted { signed: 2, needed: 2, listed: 3 };
        let (digest, auditor) = ([7; 32], [8; 32]);
        CheckedEpoch { epoch: number, audited_ms: 0, digest, auditor, custodians, deltas }
    }

    fn delta(subject: &str, before: Option<&str>, after: Option<&str>) -> Delta {
        let owned = |text: &str| text.to_owned();
        Delta { subject: owned(subject), before: before.map(owned), after: after.map(owned) }
    }

    #[test]
    fn what_a_log_says_stays_text() {
        let enemy = "<script>alert(1)</script>\"'&";
        let html = history(&[epoch(2, vec![delta(enemy, Some(enemy), Some(enemy))])]);
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(html.matches("&lt;script&gt;").count(), 3);
        assert!(html.contains("&quot;&#39;&amp;"));
        let told = verdict(&Report::unchecked("log", enemy.to_owned()), enemy, 0);
        assert!(!told.contains("<script"), "{told}");
    }

    #[test]
    fn epochs_that_changed_nothing_stand_together_and_none_is_left_out() {
        let change = || vec![delta("policy row", Some("10"), Some("9"))];
        let all = [
            epoch(1, change()),
            epoch(2, vec![]),
            epoch(3, vec![]),
            epoch(4, change()),
            epoch(5, vec![]),
        ];
        let html = history(&all);
        let titles: Vec<&str> =
            html.split("<h3>").skip(1).filter_map(|part| part.split('<').next()).collect();
        assert_eq!(titles, ["Epoch 5", "Epoch 4", "Epochs 2 to 3", "Epoch 1"]);
        assert_eq!(html.matches("data-label=\"Epoch\">2<").count(), 1);
    }

    #[test]
    fn every_change_has_its_kind() {
        for (subject, expected) in [
            ("custodian 00", "custodian"),
            ("custodians threshold", "custodian"),
            ("policy row", "policy"),
            ("node one/3 roles", "role"),
            ("node one/3 identity_key", "key"),
            ("fleet one hpke_key", "key"),
            ("fleet one keyset 3", "key"),
            ("ticket key 00", "key"),
            ("fleet one measurement", "fleet"),
            ("node one/3 site", "fleet"),
        ] {
            assert_eq!(kind(subject), expected, "{subject}");
        }
    }

    #[test]
    fn long_values_are_cut_where_both_ends_show() {
        let key = "0123456789abcdef".repeat(4);
        assert_eq!(shortened(&key), key);
        let long = "ab".repeat(1_216);
        assert_eq!(shortened(&long), "abababababababab…abababababababab (2432 characters)");
    }

    #[test]
    fn nothing_but_a_verified_report_reads_verified() {
        let told = verdict(&Report::unchecked("log", "x".to_owned()), "trust", 0);
        assert!(told.contains("Not verified") && !told.contains("Verified in this browser"));
        for outcome in [Outcome::Contradiction, Outcome::Refused, Outcome::Unchecked] {
            let told = verdict(&Report::of(|_| Err(("log", outcome, String::new()))), "trust", 0);
            assert!(!told.contains("Verified in this browser"), "{told}");
        }
    }
}
