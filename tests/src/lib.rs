//! What the black-box and kernel tests share.

pub mod junit;
pub mod kernel;
pub mod node;
pub mod suite;
