//! Vectors of the RFCs, and what must be refused.

use super::{verify::Parts, *};
use proptest::prelude::{prop_assert, proptest};
use std::sync::LazyLock;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

/// RFC 7515, A.3.
const RFC7515_A3: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 8037, A.4.
const RFC8037_A4: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn rfc7515_key() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
}

fn rfc8037_key() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn key(alg: Algorithm) -> &'static SigningKey {
    static KEYS: LazyLock<Vec<SigningKey>> =
        LazyLock::new(|| ALGORITHMS.map(|alg| SigningKey::generate(alg).unwrap()).into());
    KEYS.iter().find(|key| key.alg == alg).unwrap()
}

fn forge(header: &Value, rest: &str) -> String {
    format!("{}.{}", B64.encode(header.to_string()), rest)
}

/// The payload and signature of a token.
fn rest(token: &str) -> &str {
    token.split_once('.').unwrap().1
}

#[test]
fn rfc7515_a3_verifies() {
    let claims: Value = VerifyingKey::from_jwk(&rfc7515_key()).unwrap().verify(typ::JWT, RFC7515_A3).unwrap();
    assert_eq!(claims, json!({"iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true}));
}

#[test]
fn rfc7638_thumbprint() {
    let jwk = json!({"kty": "RSA", "e": "AQAB", "alg": "RS256", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"});
    assert_eq!(VerifyingKey::from_jwk(&jwk).unwrap().kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn rfc8037_a3_thumbprint() {
    assert_eq!(VerifyingKey::from_jwk(&rfc8037_key()).unwrap().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn rfc8037_a4_is_signed_to_the_letter_and_verifies() {
    let seed = B64.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let key = SigningKey::new(Algorithm::EdDsa, Pair::EdDsa(pair)).unwrap();
    assert_eq!(key.public_jwk()["x"], rfc8037_key()["x"]);
    assert_eq!(key.sign_compact("eyJhbGciOiJFZERTQSJ9.", b"Example of Ed25519 signing").unwrap(), RFC8037_A4);
    let payload = key.verifying_key().unwrap().payload(&Parts::read(RFC8037_A4).unwrap()).unwrap();
    assert_eq!(payload, b"Example of Ed25519 signing");
}

#[test]
fn what_is_signed_verifies_with_every_algorithm() {
    for alg in ALGORITHMS {
        let key = key(alg);
        let token = key.sign(typ::ACCESS_TOKEN, &json!({"sub": "a"})).unwrap();
        let jwk = key.public_jwk();
        assert_eq!((&jwk["alg"], &jwk["kid"], &jwk["use"]), (&json!(alg.as_str()), &json!(key.kid()), &json!("sig")));
        let claims: Value = Verifier::from_jwks(&json!({"keys": [jwk]})).verify(typ::ACCESS_TOKEN, &token).unwrap();
        assert_eq!(claims, json!({"sub": "a"}));
        assert_eq!(token.capacity(), token.len(), "one allocation of the final size");
    }
}

#[test]
fn jsonwebtoken_agrees() {
    for alg in ALGORITHMS {
        let token = key(alg).sign(typ::ACCESS_TOKEN, &json!({"sub": "a", "exp": 4_000_000_000_u64})).unwrap();
        let peer =
            jsonwebtoken::DecodingKey::from_jwk(&serde_json::from_value(key(alg).public_jwk()).unwrap()).unwrap();
        let data = jsonwebtoken::decode::<Value>(&token, &peer, &jsonwebtoken::Validation::new(alg.backend())).unwrap();
        assert_eq!(data.claims["sub"], "a");
        assert_eq!((data.header.kid.as_deref(), data.header.typ.as_deref()), (Some(key(alg).kid()), Some("at+jwt")));
    }
}

#[test]
fn a_key_survives_being_stored() {
    for alg in ALGORITHMS {
        let der = key(alg).to_pkcs8().unwrap();
        let again = SigningKey::from_pkcs8(alg, &der).unwrap();
        assert_eq!((again.kid(), again.algorithm()), (key(alg).kid(), alg));
        let token = again.sign(typ::JWT, &json!({})).unwrap();
        assert!(key(alg).verifying_key().unwrap().verify::<Value>(typ::JWT, &token).is_ok());
        for other in ALGORITHMS.into_iter().filter(|other| *other != alg) {
            assert!(matches!(SigningKey::from_pkcs8(other, &der), Err(KeyError::Pkcs8(_))));
        }
        assert!(SigningKey::from_pkcs8(alg, b"rubbish").is_err());
    }
}

#[test]
fn an_unsigned_token_is_refused() {
    let key = key(Algorithm::Es256);
    let verifying = key.verifying_key().unwrap();
    let payload = B64.encode("{}");
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": alg, "kid": key.kid(), "typ": "JWT"});
        for rest in [format!("{payload}."), format!("{payload}.AAAA")] {
            assert_eq!(
                verifying.verify::<Value>(typ::JWT, &forge(&header, &rest)).unwrap_err(),
                VerifyError::Algorithm
            );
        }
    }
    let token = key.sign(typ::JWT, &json!({})).unwrap();
    let (message, _) = token.rsplit_once('.').unwrap();
    assert_eq!(verifying.verify::<Value>(typ::JWT, &format!("{message}.")).unwrap_err(), VerifyError::Signature);
}

#[test]
fn the_token_does_not_choose_the_algorithm() {
    // The classic: HMAC keyed with the public key, which everybody has.
    for alg in ALGORITHMS {
        let verifying = key(alg).verifying_key().unwrap();
        let public = key(alg).public_jwk().to_string();
        let header = B64.encode(json!({"alg": "HS256", "kid": key(alg).kid(), "typ": "JWT"}).to_string());
        let message = format!("{header}.{}", B64.encode("{}"));
        let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
        let forged = format!("{message}.{}", B64.encode(aws_lc_rs::hmac::sign(&hmac, message.as_bytes())));
        assert_eq!(verifying.verify::<Value>(typ::JWT, &forged).unwrap_err(), VerifyError::Algorithm);

        for other in ALGORITHMS.into_iter().filter(|other| *other != alg) {
            let header = json!({"alg": other.as_str(), "kid": key(alg).kid(), "typ": "JWT"});
            let forged = forge(&header, rest(&key(other).sign(typ::JWT, &json!({})).unwrap()));
            assert_eq!(verifying.verify::<Value>(typ::JWT, &forged).unwrap_err(), VerifyError::Algorithm);
        }
    }
}

#[test]
fn a_changed_token_is_refused() {
    for alg in ALGORITHMS {
        let verifying = key(alg).verifying_key().unwrap();
        let token = key(alg).sign(typ::JWT, &json!({"sub": "a"})).unwrap();
        for at in 0..token.len() {
            let replacement = if &token[at..=at] == "A" { "B" } else { "A" };
            let mut changed = token.clone();
            changed.replace_range(at..=at, replacement);
            assert!(verifying.verify::<Value>(typ::JWT, &changed).is_err(), "{alg} {at}");
        }
        assert!(verifying.verify::<Value>(typ::JWT, &format!("{token}=")).is_err());
        assert!(verifying.verify::<Value>(typ::JWT, &format!("{token}.x")).is_err());
    }
}

#[test]
fn an_es256_signature_is_r_and_s_and_never_der() {
    // RFC 7518, section 3.4.
    let token = key(Algorithm::Es256).sign(typ::JWT, &json!({})).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(B64.decode(signature).unwrap().len(), 64);

    let der = key(Algorithm::Es256).to_pkcs8().unwrap();
    let asn1 = &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let pair = EcdsaKeyPair::from_pkcs8(asn1, &der).unwrap();
    let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    let token = format!("{message}.{}", B64.encode(signature));
    let verifying = key(Algorithm::Es256).verifying_key().unwrap();
    assert_eq!(verifying.verify::<Value>(typ::JWT, &token).unwrap_err(), VerifyError::Signature);
}

#[test]
fn another_key_is_refused() {
    let (ours, theirs) = (key(Algorithm::Es256), SigningKey::generate(Algorithm::Es256).unwrap());
    let token = theirs.sign(typ::JWT, &json!({})).unwrap();
    let verifying = ours.verifying_key().unwrap();
    assert_eq!(verifying.verify::<Value>(typ::JWT, &token).unwrap_err(), VerifyError::UnknownKey);
    let both = Verifier::new(vec![verifying.clone(), key(Algorithm::EdDsa).verifying_key().unwrap()]);
    assert_eq!(both.verify::<Value>(typ::JWT, &token).unwrap_err(), VerifyError::UnknownKey);
    // With our key id, their signature is only wrong.
    let header = json!({"alg": "ES256", "kid": ours.kid(), "typ": "JWT"});
    assert_eq!(both.verify::<Value>(typ::JWT, &forge(&header, rest(&token))).unwrap_err(), VerifyError::Signature);
    // Without any, it takes a single key to know which is meant.
    assert_eq!(both.verify::<Value>(typ::JWT, RFC7515_A3).unwrap_err(), VerifyError::UnknownKey);
    let single = Verifier::from_jwks(&json!({"keys": [rfc7515_key(), {"kty": "oct", "k": "AAAA"}]}));
    assert!(single.verify::<Value>(typ::JWT, RFC7515_A3).is_ok());
    assert!(Verifier::from_jwks(&json!({})).verify::<Value>(typ::JWT, RFC7515_A3).is_err());
}

#[test]
fn one_type_of_token_does_not_pass_for_another() {
    let key = key(Algorithm::Es256);
    let verifying = key.verifying_key().unwrap();
    let access = key.sign(typ::ACCESS_TOKEN, &json!({})).unwrap();
    assert_eq!(verifying.verify::<Value>(typ::JWT, &access).unwrap_err(), VerifyError::Type);
    assert_eq!(verifying.verify::<Value>(typ::LOGOUT_TOKEN, &access).unwrap_err(), VerifyError::Type);
    let long = key.sign("application/at+JWT", &json!({})).unwrap();
    assert!(verifying.verify::<Value>(typ::ACCESS_TOKEN, &long).is_ok());
    let untyped = VerifyingKey::from_jwk(&rfc7515_key()).unwrap();
    assert_eq!(untyped.verify::<Value>(typ::ACCESS_TOKEN, RFC7515_A3).unwrap_err(), VerifyError::Type);
}

#[test]
fn an_extension_is_refused_even_when_signed() {
    let key = key(Algorithm::EdDsa);
    for crit in [json!(["b64"]), json!([]), json!(null)] {
        let header = json!({"alg": "EdDSA", "kid": key.kid(), "typ": "JWT", "crit": crit, "b64": false}).to_string();
        let token = key.sign_compact(&format!("{}.", B64.encode(header)), b"{}").unwrap();
        assert_eq!(key.verifying_key().unwrap().verify::<Value>(typ::JWT, &token).unwrap_err(), VerifyError::Critical);
    }
    let twice = format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{}"}}"#, key.kid());
    let token = key.sign_compact(&format!("{}.", B64.encode(twice)), b"{}").unwrap();
    assert_eq!(key.verifying_key().unwrap().verify::<Value>(typ::JWT, &token).unwrap_err(), VerifyError::Malformed);
}

#[test]
fn claims_of_another_shape_are_an_error() {
    #[derive(Debug, Deserialize)]
    struct Claims {
        #[expect(dead_code, reason = "read by serde only")]
        sub: String,
    }
    let key = key(Algorithm::Es256);
    let token = key.sign(typ::JWT, &json!({"sub": 1})).unwrap();
    assert_eq!(key.verifying_key().unwrap().verify::<Claims>(typ::JWT, &token).unwrap_err(), VerifyError::Claims);
}

#[test]
fn a_type_is_escaped_in_the_header() {
    let key = key(Algorithm::EdDsa);
    let token = key.sign(r#"x","alg":"none"#, &json!({})).unwrap();
    assert_eq!(Parts::read(&token).unwrap().header.alg, "EdDSA");
}

#[test]
fn an_unusable_jwk_is_refused() {
    let with = |name: &str, value: Value| {
        let mut jwk = rfc7515_key();
        jwk[name] = value;
        VerifyingKey::from_jwk(&jwk).unwrap_err()
    };
    assert_eq!(with("alg", json!("ES384")), JwkError::Unsupported);
    assert_eq!(with("alg", json!("HS256")), JwkError::Unsupported);
    assert_eq!(with("kty", json!("oct")), JwkError::Unsupported);
    assert_eq!(with("crv", json!("P-384")), JwkError::Unsupported);
    assert_eq!(with("use", json!("enc")), JwkError::Use);
    assert_eq!(with("x", json!("AAAA")), JwkError::Member("x"));
    assert_eq!(with("kid", json!(1)), JwkError::Member("kid"));
    let short = json!({"kty": "RSA", "n": B64.encode([0xff; 128]), "e": "AQAB"});
    assert_eq!(VerifyingKey::from_jwk(&short).unwrap_err(), JwkError::Member("n"));
    assert_eq!(VerifyingKey::from_jwk(&json!("x")).unwrap_err(), JwkError::Member("kty"));
}

#[test]
fn a_signing_key_does_not_print() {
    let key = key(Algorithm::EdDsa);
    assert_eq!(format!("{key:?}"), format!("SigningKey {{ alg: EdDsa, kid: {:?}, .. }}", key.kid()));
}

#[test]
fn algorithms_are_named_as_in_the_header() {
    for alg in ALGORITHMS {
        assert_eq!(Algorithm::from_name(alg.as_str()), Some(alg));
        assert_eq!(serde_json::to_value(alg).unwrap(), alg.as_str());
    }
    assert_eq!(Algorithm::from_name("none"), None);
    assert_eq!(Algorithm::default(), Algorithm::Es256);
}

proptest! {
    #[test]
    fn rubbish_is_no_token(text: String, shaped in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,90}") {
        let verifying = VerifyingKey::from_jwk(&rfc7515_key()).unwrap();
        prop_assert!(verifying.verify::<Value>(typ::JWT, &text).is_err());
        prop_assert!(verifying.verify::<Value>(typ::JWT, &shaped).is_err());
    }
}
