//! Signatures and password hashes.

use std::{hint::black_box, thread};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
    },
};

use super::repeat;
use crate::{
    failure::{Failure, Result},
    report::{Figure, LIMITS, Report},
};

/// ES256 signatures on one core.
pub(crate) const SIGN: &str = "ES256 signatures, one core";
/// Their verifications on one core.
pub(crate) const VERIFY: &str = "ES256 verifications, one core";
/// Password hashes on one core.
pub(crate) const HASH_ONE: &str = "argon2id 19 MiB, 2, 1; one core";
/// Password hashes on all cores.
pub(crate) const HASH_ALL: &str = "argon2id 19 MiB, 2, 1; all cores";

pub(super) fn measure(report: &mut Report, seconds: u64) -> Result<()> {
    let failed = |_| Failure::new("ES256 failed");
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
    // As long as the claims of an access token.
    let message = [b'x'; 500];
    let rate = repeat(seconds, || {
        for _ in 0..100 {
            black_box(key.sign(&random, black_box(&message)).map_err(failed)?);
        }
        Ok(100)
    })?;
    report.add(Figure::new(LIMITS, SIGN, rate, "/s"));

    let signature = key.sign(&random, &message).map_err(failed)?;
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
    let rate = repeat(seconds, || {
        for _ in 0..100 {
            public.verify(black_box(&message), signature.as_ref()).map_err(failed)?;
        }
        Ok(100)
    })?;
    report.add(Figure::new(LIMITS, VERIFY, rate, "/s"));

    report.add(Figure::new(LIMITS, HASH_ONE, hashes(seconds)?, "/s"));
    report.add(Figure::new(LIMITS, HASH_ALL, hashes_on_all_cores(seconds)?, "/s"));
    Ok(())
}

/// Hashes a second with every core at work, as during a burst of sign-ins.
pub(crate) fn hashes_on_all_cores(seconds: u64) -> Result<f64> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let running: Vec<_> = (0..cores).map(|_| scope.spawn(move || hashes(seconds))).collect();
        let mut total = 0.0;
        for thread in running {
            total += thread.join().map_err(|_| Failure::new("hashing panicked"))??;
        }
        Ok(total)
    })
}

fn hashes(seconds: u64) -> Result<f64> {
    let failed = |error: argon2::Error| Failure::new(error.to_string());
    let params = Params::new(19 * 1024, 2, 1, Some(32)).map_err(failed)?;
    let mut memory = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = [0; 32];
    repeat(seconds, || {
        argon2
            .hash_password_into_with_memory(
                black_box(b"correct horse battery"),
                b"sixteen bytes sa",
                &mut out,
                &mut memory,
            )
            .map_err(failed)?;
        black_box(&out);
        Ok(1)
    })
}
