//! The program `sidecar`.

fn main() {}
