//! Channel and stories to documents. Pure: bytes out, no file, no clock.

pub mod atom;
pub mod planet;
