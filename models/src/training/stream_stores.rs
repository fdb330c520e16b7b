//! The stores of representations of a training run, one per stream and working rate, and the check
//! that they match.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use serde_json::Value;

use crate::{
    networks::Backbone,
    representations::{Store, attributes::INPUT},
};

/// Opens the stores of each stream. Returns the names of the streams, and their stores at each
/// working rate, from the lowest.
///
/// # Errors
/// Where a store cannot be opened, belongs to the other stream, or does not match the other stores.
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
            "the image stream has stores at {first:?} fps, the video stream at {other:?} fps: give both streams stores at the same rates"
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

/// Opens the stores of one stream, by working rate. A single store need not state its rate.
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
            bail!("{} does not state its working rate (fps), which a stream with several stores needs", path.display());
        }
        if let Some(other) = stores.values().next() {
            let same = |fact: &str| other.attributes().get(fact) == store.attributes().get(fact);
            if !same("network") || !same("weights") || !same(INPUT) || other.num_features() != store.num_features() {
                bail!(
                    "{}: its network, weights or preprocessing differ from the {stream} stream's other stores",
                    path.display()
                );
            }
        }
        if let Some(other) = stores.insert(rate, store) {
            let rate = working_rate(&other).unwrap_or_default();
            bail!("the {stream} stream has two stores at {rate} fps: {} is the second", path.display());
        }
    }
    Ok(stores)
}

/// Returns the working rate of a store's clips in fps, where the store states it.
pub fn working_rate(store: &Store) -> Option<u64> {
    store.attributes().get("fps").and_then(Value::as_u64)
}

/// Checks that the stores state the same `facts` about their clips. Otherwise clip 7 of one store
/// is not clip 7 of another.
///
/// # Errors
/// Where two stores state different values of a fact.
pub fn same_clips<'a>(stores: impl Iterator<Item = &'a Store>, facts: &[&str]) -> anyhow::Result<()> {
    let stores: Vec<&Store> = stores.collect();
    for fact in facts {
        let said: Vec<&Value> = stores.iter().filter_map(|store| store.attributes().get(*fact)).collect();
        if let [first, rest @ ..] = &said[..]
            && let Some(other) = rest.iter().find(|other| *other != first)
        {
            bail!("the stores contain different clips: {fact} is {first} in one and {other} in another");
        }
    }
    Ok(())
}
