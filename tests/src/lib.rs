//! What the black-box and kernel tests share.

pub mod bench;
pub mod junit;
pub mod kernel;
pub mod suite;
