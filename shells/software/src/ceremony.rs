//! The subcommands that make and carry keys. Each prints only public halves.

use crate::{
    args::Options,
    failure::Failure,
    files,
    fleet_secrets::FleetSecrets,
    node_keys::{NodeInfo, NodeKeys},
    pins::{self, Pins},
};
use std::{fs, path::Path};

const NODE_INFO_LEN_MAX: usize = 8 * 1_024;
const BOX_LEN_MAX: usize = 64 * 1_024;
/// What a development fleet is called where nobody says otherwise.
const DEFAULT_FLEET: &str = "dev";

/// `init`: makes a node's keys. Returns the line to print.
///
/// # Errors
/// [`Failure`].
pub fn init(options: &Options) -> Result<String, Failure> {
    let (dir, node) = (options.path("dir")?, options.required("node")?);
    let keys = NodeKeys::generate(node)?;
    files::private_dir(&dir)?;
    keys.save(&dir)?;
    to_line(&keys.info()?)
}

/// `fleet-keys`: makes a fleet's secrets and seals them to each node. Returns the line to print.
///
/// # Errors
/// [`Failure`].
pub fn fleet_keys(options: &Options) -> Result<String, Failure> {
    let (dir, out) = (options.path("dir")?, options.path("out")?);
    let fleet: String = options.optional("fleet")?.unwrap_or_else(|| DEFAULT_FLEET.to_owned());
    let nodes = options.all("node-info").iter();
    let nodes: Vec<NodeInfo> =
        nodes.map(|path| read_node_info(Path::new(path))).collect::<Result<_, _>>()?;
    if nodes.is_empty() {
        return Err(Failure::Usage("--node-info is missing".to_owned()));
    }
    files::check_private_dir(&dir)?;
    let secrets = FleetSecrets::generate(&fleet)?;
    fs::create_dir_all(&out).map_err(|e| Failure::io("make the folder", &out, &e))?;
    for node in &nodes {
        let path = out.join(format!("box-{}.bin", node.node));
        files::write_new(&path, &secrets.seal_to(&node.box_key)?)?;
    }
    // Last: until here nothing is in use, and the command may simply be given again elsewhere.
    secrets.save(&dir)?;
    to_line(&secrets.info()?)
}

fn read_node_info(path: &Path) -> Result<NodeInfo, Failure> {
    let bytes = files::read_public(path, NODE_INFO_LEN_MAX)?;
    serde_json::from_slice(&bytes).map_err(|e| Failure::Refused(format!("{}: {e}", path.display())))
}

/// `accept`: opens the box that carries a fleet's secrets to this node. Returns the line to print.
///
/// # Errors
/// [`Failure`].
pub fn accept(options: &Options) -> Result<String, Failure> {
    let (dir, sealed) = (options.path("dir")?, options.path("box")?);
    let fleet: String = options.required("fleet")?;
    files::check_private_dir(&dir)?;
    let keys = NodeKeys::load(&dir)?;
    let bytes = files::read_public(&sealed, BOX_LEN_MAX)?;
    let secrets = FleetSecrets::open(&keys, &fleet, &sealed, &bytes)?;
    secrets.save(&dir)?;
    to_line(&secrets.info()?)
}

/// `pin`: fixes the namespace, and the custodians whom this vault believes. Returns the line to print.
///
/// # Errors
/// [`Failure`].
pub fn pin(options: &Options) -> Result<String, Failure> {
    let (dir, path) = (options.path("dir")?, options.path("custodians")?);
    files::check_private_dir(&dir)?;
    let pins = Pins { custodians: pins::read(&path)?, namespace: options.required("namespace")? };
    pins::pin(&dir, &pins)?;
    to_line(&pins)
}

fn to_line(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|e| Failure::Machine(e.to_string()))
}
