//! A device that holds passkeys, in software, which does also what no honest one does.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use serde_json::{Value, json};

/// The user was there.
pub(super) const PRESENT: u8 = 0x01;
/// And was verified.
pub(super) const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

pub(super) struct Device {
    pair: EcdsaKeyPair,
    pub(super) id: Vec<u8>,
    pub(super) user: Vec<u8>,
    /// What its next signature counts; 0 stays 0.
    pub(super) counter: u32,
    pub(super) flags: u8,
    pub(super) origin: String,
    pub(super) host: String,
    aaguid: [u8; 16],
}

impl Device {
    pub(super) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = digest(&SHA256, pair.public_key().as_ref()).as_ref()[..20].to_vec();
        Self {
            pair,
            id,
            user: Vec::new(),
            counter: 0,
            flags: PRESENT | VERIFIED,
            origin: "http://localhost:7000".to_owned(),
            host: "localhost".to_owned(),
            aaguid: [0; 16],
        }
    }

    /// As a provider makes it.
    pub(super) fn of_provider(aaguid: u128) -> Self {
        Self { aaguid: aaguid.to_be_bytes(), ..Self::new() }
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false }).to_string().into()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut out = digest(&SHA256, self.host.as_bytes()).as_ref().to_vec();
        out.push(flags);
        out.extend(self.counter.to_be_bytes());
        out
    }

    fn rest(&self) -> (String, String) {
        (B64.encode(&self.id), B64.encode(&self.id))
    }

    /// What a browser sends once it has made the passkey that `options` ask for.
    pub(super) fn make(&mut self, options: &Value) -> String {
        self.user = B64.decode(options["user"]["id"].as_str().unwrap()).unwrap();
        let client = self.client_data("webauthn.create", &options["challenge"]);
        let mut data = self.data(self.flags | ATTESTED);
        data.extend(self.aaguid);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        // The key, as COSE writes it: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
        let point = self.pair.public_key().as_ref();
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..65]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        let (id, raw) = self.rest();
        json!({ "id": id, "rawId": raw, "type": "public-key", "extensions": { "credProps": { "rk": true } },
            "response": { "attestationObject": B64.encode(object), "clientDataJSON": B64.encode(client),
                "transports": ["internal"] } })
        .to_string()
    }

    /// What a browser sends once the passkey has signed.
    pub(super) fn answer(&mut self, options: &Value) -> String {
        if self.counter > 0 {
            self.counter += 1;
        }
        self.sign("webauthn.get", options)
    }

    /// The same without the counter's going up.
    pub(super) fn sign(&self, kind: &str, options: &Value) -> String {
        let client = self.client_data(kind, &options["challenge"]);
        let data = self.data(self.flags);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, &client).as_ref());
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        let (id, raw) = self.rest();
        json!({ "id": id, "rawId": raw, "type": "public-key", "extensions": {},
            "response": { "authenticatorData": B64.encode(data), "clientDataJSON": B64.encode(client),
                "signature": B64.encode(signature.as_ref()), "userHandle": B64.encode(&self.user) } })
        .to_string()
    }
}
