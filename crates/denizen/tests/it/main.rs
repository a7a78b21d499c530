//! Denizen as its users meet it: the real binary on real databases, spoken to over HTTP, by relying parties
//! this project did not write, and in a browser. `scripts/test` provides what these need.

#[cfg(test)]
#[macro_use]
mod support;
#[cfg(test)]
mod account;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cli_files;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod console;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod relying_parties;
#[cfg(test)]
mod resets;
#[cfg(test)]
mod two_steps;
#[cfg(test)]
mod users_list;
#[cfg(test)]
mod ways;
