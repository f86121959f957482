// SPDX-License-Identifier: Apache-2.0

//! Asks the crates sev and dcap-qvl for their verdicts: one JSON object a line in, one a line out.
//! Nothing is fetched: certificates, CRLs and collateral come with the question.

use std::error::Error;
use std::io::{stdin, BufRead};
use std::panic::{catch_unwind, AssertUnwindSafe};

use base64::prelude::{Engine, BASE64_STANDARD};
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::QuoteCollateralV3;
use serde_json::{from_str, json, Value};
use sev::certs::snp::{ca, Certificate, Chain, Verifiable};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

type Outcome = Result<String, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| {}));
    for line in stdin().lock().lines() {
        let question: Value = from_str(&line?)?;
        println!("{}", answer(&question));
    }
    Ok(())
}

/// A panic of a crate is a refusal with a noise: it does not get out.
fn answer(question: &Value) -> Value {
    let ask = || match question["kind"].as_str() {
        Some("snp") => verify_snp(question),
        Some("tdx") => verify_tdx(question),
        kind => Err(format!("unknown kind {kind:?}").into()),
    };
    let outcome = catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| Err("panic".into()));
    let (accepted, status, error) = match outcome {
        Ok(status) => (true, status, String::new()),
        Err(error) => (false, String::new(), format!("{error:#}")),
    };
    json!({"id": question["id"], "accepted": accepted, "status": status, "error": error})
}

/// The crate verifies a chain that its caller chose, and the report's signature. `issuers` are the
/// authorities that the caller believes, the one that the certificate's kind needs last.
fn verify_snp(question: &Value) -> Outcome {
    let report = AttestationReport::from_bytes(&bytes(&question["report"])?)?;
    let chain = Chain {
        ca: ca::Chain {
            ark: Certificate::from_der(&bytes(&question["issuers"][0])?)?,
            ask: Certificate::from_der(&bytes(&question["issuers"][1])?)?,
        },
        vek: Certificate::from_der(&bytes(&question["vek"])?)?,
    };
    (&chain, &report).verify()?;
    Ok(String::new())
}

fn verify_tdx(question: &Value) -> Outcome {
    let given = &question["collateral"];
    let text = |name: &str| given[name].as_str().unwrap_or_default().to_string();
    let collateral = QuoteCollateralV3 {
        pck_crl_issuer_chain: text("pck_crl_issuer_chain"),
        root_ca_crl: hex::decode(text("root_ca_crl"))?,
        pck_crl: hex::decode(text("pck_crl"))?,
        tcb_info_issuer_chain: text("tcb_info_issuer_chain"),
        tcb_info: text("tcb_info"),
        tcb_info_signature: hex::decode(text("tcb_info_signature"))?,
        qe_identity_issuer_chain: text("qe_identity_issuer_chain"),
        qe_identity: text("qe_identity"),
        qe_identity_signature: hex::decode(text("qe_identity_signature"))?,
        pck_certificate_chain: None,
    };
    let verifier = match question["root"].as_str() {
        Some(_) => QuoteVerifier::new(bytes(&question["root"])?),
        None => QuoteVerifier::new_prod(),
    };
    let now = question["now"].as_u64().ok_or("no time")?;
    let verifier = verifier.allow_service_td(true);
    let report = verifier.verify(&bytes(&question["quote"])?, &collateral, now);
    Ok(report.map_err(|error| format!("{error:#}"))?.status)
}

fn bytes(value: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(BASE64_STANDARD.decode(value.as_str().ok_or("wanted base64")?)?)
}
