//! The stores of representations that a command is given: of each stream one, or one a working rate, and whether they belong together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{bundle::trained_bundle::INPUT, networks::Backbone, representations::Store};
use anyhow::bail;
use serde_json::Value;

/// The names of the streams that are given, and their stores at each rate, from the lowest.
pub fn stores(image: &[PathBuf], video: &[PathBuf]) -> anyhow::Result<(Vec<String>, Vec<Vec<Store>>)> {
    let streams = [("image", image), ("video", video)].into_iter().filter(|(_, paths)| !paths.is_empty());
    let (mut names, mut of_streams) = (Vec::new(), Vec::new());
    for (name, paths) in streams {
        names.push(name.to_owned());
        of_streams.push(of_stream(name, paths)?);
    }
    let several = of_streams.iter().any(|stores| stores.len() > 1);
    let rates = |stores: &BTreeMap<Option<u64>, Store>| stores.keys().flatten().copied().collect::<Vec<_>>();
    if several && let Some(other) = of_streams.iter().find(|stores| rates(stores) != rates(&of_streams[0])) {
        let (first, other) = (rates(&of_streams[0]), rates(other));
        bail!(
            "the image stream has stores at {first:?} frames a second, the video stream at {other:?}: give both at the same rates"
        );
    }
    let mut of_streams: Vec<_> = of_streams.into_iter().map(BTreeMap::into_values).collect();
    let mut stores = Vec::new();
    while let Some(at_rate) = of_streams.iter_mut().map(Iterator::next).collect::<Option<Vec<Store>>>() {
        stores.push(at_rate);
    }
    same_clips(stores.iter().flatten(), &["segmentation", "detector"])?;
    if !several {
        same_clips(stores.iter().flatten(), &["fps"])?;
    }
    Ok((names, stores))
}

/// The stores of one stream by their working rates. One alone need not say its own.
fn of_stream(stream: &str, paths: &[PathBuf]) -> anyhow::Result<BTreeMap<Option<u64>, Store>> {
    let mut stores = BTreeMap::<Option<u64>, Store>::new();
    for path in paths {
        let store = Store::open(path)?;
        let text = |fact: &str| store.attributes().get(fact).and_then(Value::as_str);
        let described = || text("network").and_then(Backbone::from_name).map(|backbone| backbone.stream().as_str());
        if let (Some(its), Some(network)) =
            (text("stream").or_else(described).filter(|its| *its != stream), text("network"))
        {
            bail!("the vectors given with --{stream} were made by {network}: give them with --{its}");
        }
        let rate = working_rate(&store);
        if paths.len() > 1 && rate.is_none() {
            bail!(
                "{} does not say its working rate (fps): where a stream has several stores, each must",
                path.display()
            );
        }
        if let Some(other) = stores.values().next() {
            let same = |fact: &str| other.attributes().get(fact) == store.attributes().get(fact);
            if !same("network") || !same("weights") || !same(INPUT) || other.num_features() != store.num_features() {
                bail!(
                    "{}: its vectors were not made by the network, the weights and the preprocessing of the {stream} stream's other stores",
                    path.display()
                );
            }
        }
        if let Some(other) = stores.insert(rate, store) {
            let rate = working_rate(&other).unwrap_or_default();
            bail!("two stores of the {stream} stream are of {rate} frames a second: {} is the second", path.display());
        }
    }
    Ok(stores)
}

/// The working rate of a store's clips, frames a second, where it says so.
pub fn working_rate(store: &Store) -> Option<u64> {
    store.attributes().get("fps").and_then(Value::as_u64)
}

/// Whether the stores say the same of how their clips were made, as far as they say it: otherwise clip 7 of the one is not clip 7 of the other.
pub fn same_clips<'a>(stores: impl Iterator<Item = &'a Store>, facts: &[&str]) -> anyhow::Result<()> {
    let stores: Vec<&Store> = stores.collect();
    for fact in facts {
        let said: Vec<&Value> = stores.iter().filter_map(|store| store.attributes().get(*fact)).collect();
        if let [first, rest @ ..] = &said[..]
            && let Some(other) = rest.iter().find(|other| *other != first)
        {
            bail!("the stores' clips are not the same: {fact} is {first} in one and {other} in another");
        }
    }
    Ok(())
}
