pub mod extract;
pub mod model;
pub mod normalize;
pub mod probe;
pub mod text;
pub mod config;
