//! The product, driven over HTTP.

use clap::Args;

use crate::failure::Result;

#[derive(Args)]
pub(crate) struct Options {}

pub(crate) fn run(_options: &Options) -> Result<()> {
    Ok(())
}
