//! Parameters and multiply-accumulates against the paper's table.

use divita_models::{cost, networks::shufflenet_2d, zoo::NETWORKS};

/// The paper gives one decimal, so half a unit of it is rounding; beyond that, two in a hundred.
fn agrees(counted: f64, paper: f64) -> bool {
    let difference = (counted - paper).abs();
    difference <= 0.05 || difference <= 0.02 * paper
}

#[test]
fn counts_are_those_of_the_paper() {
    for network in NETWORKS {
        let parameters = network.parameters() as f64 / 1e6;
        let macs = network.macs_per_snippet(24) as f64 / 1e9;
        println!("{}: {parameters:.3} M parameters, {macs:.3} G MACs", network.name);
        assert!(agrees(parameters, network.paper_parameters_m), "{}: {parameters} M", network.name);
        assert!(agrees(macs, network.paper_macs_g), "{}: {macs} G", network.name);
    }
}

/// torchvision states 2,278,604 parameters for its whole network; its classifier, which is left out, has 1,025,000.
#[test]
fn the_2d_backbone_has_torchvisions_parameters() {
    assert_eq!(cost::parameters(&shufflenet_2d()), 2_278_604 - 1_025_000);
}
