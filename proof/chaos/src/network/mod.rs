//! What lies between the hosts: a network namespace for each where that is permitted, otherwise one
//! loopback with a proxy on every link.

mod namespaces;
mod proxies;

use crate::Trouble;
use namespaces::Namespaces;
use proxies::Proxies;
use std::collections::BTreeSet;
use strongroom_cli::dev::DevFleet;

pub(crate) use namespaces::{Permission, permission};

/// Who stands at the end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum End {
    Node(u8),
    Gateway,
}

/// What is wrong with the network at one time; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Nothing goes from the first to the second.
    pub(crate) cut: BTreeSet<(End, End)>,
    /// Of a hundred packets so many are lost, on all links.
    pub(crate) loss_percent: u8,
    /// All links of these nodes are slow.
    pub(crate) slow: BTreeSet<u8>,
}

impl Weather {
    /// Cuts both ways between the two groups.
    pub(crate) fn split(some: &[End], others: &[End]) -> Self {
        let pairs = some.iter().flat_map(|one| others.iter().map(move |other| (*one, *other)));
        let cut = pairs.flat_map(|(one, other)| [(one, other), (other, one)]).collect();
        Self { cut, ..Self::default() }
    }
}

/// The network of one run.
pub(crate) enum Network {
    Namespaces(Namespaces),
    Proxies(Proxies),
}

impl Network {
    /// Makes it and writes the fleet's configurations for it.
    pub(crate) fn lay(fleet: &DevFleet, namespaces: bool) -> Result<Self, Trouble> {
        if namespaces {
            Namespaces::lay(fleet).map(Self::Namespaces)
        } else {
            Proxies::lay(fleet).map(Self::Proxies)
        }
    }

    /// In a few words, for the report.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Namespaces(_) => {
                "a network namespace for each host and the gateway; cuts and losses by nftables, \
                 delay by a token bucket"
            }
            Self::Proxies(_) => {
                "one loopback with a proxy on every link, no network namespaces; cuts, delay and \
                 losses are the proxies'"
            }
        }
    }

    /// Changes the weather, all of it at once.
    pub(crate) fn set(&self, weather: &Weather) -> Result<(), Trouble> {
        match self {
            Self::Namespaces(network) => network.set(weather),
            Self::Proxies(network) => {
                network.set(weather);
                Ok(())
            }
        }
    }

    /// Does something where a host or the gateway stands. Threads and processes that it starts
    /// stand there, too.
    pub(crate) fn at<T: Send>(
        &self,
        end: End,
        act: impl FnOnce() -> Result<T, Trouble> + Send,
    ) -> Result<T, Trouble> {
        match self {
            Self::Namespaces(network) => network.at(end, act),
            Self::Proxies(_) => act(),
        }
    }

    /// Where this program reaches a node's HTTP, whatever the weather between the hosts.
    pub(crate) fn http(&self, fleet: &DevFleet, node: u8) -> String {
        let port = fleet.addresses(node).http_port;
        match self {
            Self::Namespaces(_) => {
                format!("http://{}:{port}", namespaces::address(End::Node(node)))
            }
            Self::Proxies(_) => format!("http://127.0.0.1:{port}"),
        }
    }
}

/// Reads a configuration, lets `change` change it, and writes it again.
pub(crate) fn rewrite(
    path: &std::path::Path,
    change: impl FnOnce(&mut toml::Table) -> Option<()>,
) -> Result<(), Trouble> {
    let text = std::fs::read_to_string(path).map_err(|e| Trouble::io("read", path, &e))?;
    let mut table: toml::Table =
        text.parse().map_err(|e| Trouble::new(format!("{}: {e}", path.display())))?;
    change(&mut table)
        .ok_or_else(|| Trouble::new(format!("{}: not as expected", path.display())))?;
    std::fs::write(path, table.to_string()).map_err(|e| Trouble::io("write", path, &e))
}

/// Writes where a node finds its peers.
fn set_peers(table: &mut toml::Table, address: impl Fn(u8) -> String) -> Option<()> {
    for peer in table.get_mut("peers")?.as_array_mut()? {
        let peer = peer.as_table_mut()?;
        let node = u8::try_from(peer.get("node")?.as_integer()?).ok()?;
        peer.insert("address".to_owned(), address(node).into());
    }
    Some(())
}

/// Writes where the gateway finds the nodes.
fn set_urls(table: &mut toml::Table, url: impl Fn(u8) -> String) -> Option<()> {
    for entry in table.get_mut("nodes")?.as_array_mut()? {
        let entry = entry.as_table_mut()?;
        let node = u8::try_from(entry.get("node")?.as_integer()?).ok()?;
        entry.insert("url".to_owned(), url(node).into());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_cuts_both_ways_and_nothing_inside_a_group() {
        let (a, b, c) = (End::Node(1), End::Node(2), End::Gateway);
        let weather = Weather::split(&[a, b], &[c]);
        assert!(weather.cut.contains(&(a, c)) && weather.cut.contains(&(c, a)));
        assert!(!weather.cut.contains(&(a, b)));
        assert_eq!(weather.cut.len(), 4);
    }
}
