//! Light client: which CometBFT header may be believed.
//!
//! The rules are those of `tendermint-light-client-verifier` (`ProdVerifier`). On top of them a block
//! is refused when the validator list is not in canonical order, when an address does not belong to
//! its key, when a commit entry does not stand at its validator's place, or when *any* signature for
//! the block is wrong, also beyond two thirds: honest nodes never serve such a commit.
//!
//! Everything is a function of its arguments; the caller brings the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tendermint::block::signed_header::SignedHeader;
use tendermint::block::CommitSig;
use tendermint::chain::Id as ChainId;
use tendermint::crypto::default::signature::Verifier as Signatures;
use tendermint::trust_threshold::TrustThresholdFraction;
use tendermint::validator::{Info, Set};
use tendermint::vote::{SignedVote, Type, ValidatorIndex, Vote};
use tendermint::{Hash, Time};
use tendermint_light_client_verifier::options::Options;
use tendermint_light_client_verifier::types::{TrustedBlockState, UntrustedBlockState};
use tendermint_light_client_verifier::{ProdVerifier, Verdict, Verifier};

use crate::error::{invalid, KernelError, Result};

/// Largest JSON text that is parsed; a thousand validators need less than half a megabyte.
const MAX_JSON: usize = 4 << 20;
/// Characters of a public key in base64.
const KEY_TEXT: usize = 44;
/// Characters of a signature in base64.
const SIGNATURE_TEXT: usize = 88;

/// What a verified header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Height of the block.
    pub height: u64,
    /// Block time in nanoseconds since 1970.
    pub time_ns: i64,
    /// Header hash, 32 bytes.
    pub hash: Vec<u8>,
    /// State root *after the block before this one*.
    pub app_hash: Vec<u8>,
    /// Hash of the set that signs this block.
    pub validators_hash: Vec<u8>,
    /// Hash of the set that signs the next block.
    pub next_validators_hash: Vec<u8>,
    /// Root of the results of the block before; empty if there were none.
    pub last_results_hash: Vec<u8>,
    /// Root of the transactions of this block; empty for a header without it.
    pub data_hash: Vec<u8>,
}

/// A block as the engine's RPC serves it.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    /// JSON of `signed_header` in the answer to `/commit`.
    pub signed_header: &'a [u8],
    /// JSON list of `validators`, all pages of `/validators` joined.
    pub validators: &'a [u8],
}

/// The clock and how far it is trusted.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Now, nanoseconds since 1970.
    pub now_ns: i64,
    /// How far a block time may lie in the future, seconds.
    pub drift_s: u64,
}

/// Checks a block against a pinned validator set: the first header that a client believes.
pub fn genesis(chain_id: &str, pinned: &[u8], block: Block<'_>, clock: Clock) -> Result<Summary> {
    let (header, validators) = read_block(chain_id, block)?;
    if header.header.validators_hash.as_bytes() != pinned {
        return Err(refused(
            "the block was not signed by the pinned validator set",
        ));
    }
    let untrusted = UntrustedBlockState {
        signed_header: &header,
        validators: &validators,
        next_validators: None,
    };
    let verifier = ProdVerifier::default();
    accept(verifier.verify_validator_sets(&untrusted))?;
    let options = options(Duration::ZERO, clock);
    accept(verifier.check_header_is_from_past(&untrusted, &options, time(clock.now_ns)?))?;
    accept(verifier.verify_commit(&untrusted))?;
    check_signatures(&header, &validators)?;
    summary(&header)
}

/// Checks a block against a trusted, younger-than-`trusting_period_s` header: the next height needs
/// the announced validator set, any later height needs more than a third of it; each needs more than
/// two thirds of its own set. `trusted_next_validators` may be empty for the next height only.
pub fn verify(
    chain_id: &str,
    trusted: Block<'_>,
    block: Block<'_>,
    trusting_period_s: u64,
    clock: Clock,
) -> Result<Summary> {
    let id = parse_chain_id(chain_id)?;
    let (header, validators) = read_block(chain_id, block)?;
    let anchor = read_header(chain_id, trusted.signed_header)?;
    let is_next = anchor.header.height.value() + 1 == header.header.height.value();
    let next_validators = if trusted.validators.is_empty() && is_next {
        // The announced hash decides for the next height; the list itself is then that of the block.
        validators.clone()
    } else {
        read_validators(trusted.validators)?
    };
    if !is_next && next_validators.hash() != anchor.header.next_validators_hash {
        return Err(refused(
            "the trusted validator list is not the announced one",
        ));
    }
    let verdict = ProdVerifier::default().verify_update_header(
        UntrustedBlockState {
            signed_header: &header,
            validators: &validators,
            next_validators: None,
        },
        TrustedBlockState {
            chain_id: &id,
            header_time: anchor.header.time,
            height: anchor.header.height,
            next_validators: &next_validators,
            next_validators_hash: anchor.header.next_validators_hash,
        },
        &options(Duration::from_secs(trusting_period_s), clock),
        time(clock.now_ns)?,
    );
    accept(verdict)?;
    check_signatures(&header, &validators)?;
    summary(&header)
}

/// Hash of a validator list as it stands in headers.
pub fn validators_hash(validators: &[u8]) -> Result<Vec<u8>> {
    Ok(read_validators(validators)?.hash().as_bytes().to_vec())
}

fn read_block(chain_id: &str, block: Block<'_>) -> Result<(SignedHeader, Set)> {
    Ok((
        read_header(chain_id, block.signed_header)?,
        read_validators(block.validators)?,
    ))
}

fn read_header(chain_id: &str, json: &[u8]) -> Result<SignedHeader> {
    let id = parse_chain_id(chain_id)?;
    let value = read_json(json)?;
    let entries = value["commit"]["signatures"].as_array();
    for signature in entries
        .into_iter()
        .flatten()
        .map(|entry| &entry["signature"])
    {
        // An absent validator has null, or nothing, for a signature.
        if !signature.is_null() && signature != "" && !is_base64(signature, SIGNATURE_TEXT) {
            return invalid("a signature is not 64 bytes in base64");
        }
    }
    let header: SignedHeader = serde_json::from_value(value).map_err(malformed)?;
    if header.header.chain_id != id {
        return Err(refused("the header belongs to another chain"));
    }
    // The library has compared the heights of header and commit.
    if header.header.height.value() == 0 {
        return Err(refused("there is no block at height zero"));
    }
    if header.header.hash() != header.commit.block_id.hash {
        return Err(refused("the commit is for another header"));
    }
    Ok(header)
}

/// Reads a validator list; refuses another order than the canonical one, repeated validators,
/// validators without power and addresses that do not belong to their keys.
fn read_validators(json: &[u8]) -> Result<Set> {
    let value = read_json(json)?;
    for validator in value.as_array().into_iter().flatten() {
        if !is_base64(&validator["pub_key"]["value"], KEY_TEXT) {
            return invalid("a validator key is not 32 bytes in base64");
        }
    }
    let list: Vec<Info> = serde_json::from_value(value).map_err(malformed)?;
    if list.is_empty() {
        return invalid("the validator list is empty");
    }
    let mut total: u64 = 0;
    let mut seen = BTreeSet::new();
    for validator in &list {
        if validator.address != Info::new(validator.pub_key, validator.power).address {
            return Err(refused("a validator address does not belong to its key"));
        }
        if validator.power() == 0 || !seen.insert(validator.address) {
            return Err(refused("a validator is listed twice or has no power"));
        }
        total = total.saturating_add(validator.power());
    }
    if total > Set::MAX_TOTAL_VOTING_POWER {
        return Err(refused("the total voting power is too large"));
    }
    let addresses: Vec<_> = list.iter().map(|validator| validator.address).collect();
    let set = Set::without_proposer(list);
    if !set
        .validators()
        .iter()
        .map(|validator| validator.address)
        .eq(addresses)
    {
        return Err(refused("the validator list is not in canonical order"));
    }
    Ok(set)
}

fn check_signatures(header: &SignedHeader, validators: &Set) -> Result<()> {
    let commit = &header.commit;
    // The verifier has compared the lengths already.
    for (index, (entry, validator)) in commit
        .signatures
        .iter()
        .zip(validators.validators())
        .enumerate()
    {
        if entry
            .validator_address()
            .is_some_and(|address| address != validator.address)
        {
            return Err(refused("a commit entry is not at its validator's place"));
        }
        if let CommitSig::BlockIdFlagCommit {
            timestamp,
            signature,
            ..
        } = entry
        {
            let vote = Vote {
                vote_type: Type::Precommit,
                height: commit.height,
                round: commit.round,
                block_id: Some(commit.block_id),
                timestamp: Some(*timestamp),
                validator_address: validator.address,
                validator_index: ValidatorIndex::try_from(index)
                    .map_err(|_| refused("the commit has too many entries"))?,
                signature: signature.clone(),
                extension: Vec::new(),
                extension_signature: None,
            };
            let vote = SignedVote::from_vote(vote, header.header.chain_id.clone())
                .ok_or_else(|| refused("a commit entry has no signature"))?;
            validator
                .verify_signature::<Signatures>(&vote.sign_bytes(), vote.signature())
                .map_err(|_| refused("a signature of the commit is wrong"))?;
        }
    }
    Ok(())
}

fn summary(signed: &SignedHeader) -> Result<Summary> {
    let header = &signed.header;
    let optional =
        |hash: &Option<Hash>| hash.map_or_else(Vec::new, |hash| hash.as_bytes().to_vec());
    Ok(Summary {
        height: header.height.value(),
        time_ns: i64::try_from(header.time.unix_timestamp_nanos())
            .map_err(|_| refused("the block time is out of range"))?,
        hash: header.hash().as_bytes().to_vec(),
        app_hash: header.app_hash.as_bytes().to_vec(),
        validators_hash: header.validators_hash.as_bytes().to_vec(),
        next_validators_hash: header.next_validators_hash.as_bytes().to_vec(),
        last_results_hash: optional(&header.last_results_hash),
        data_hash: optional(&header.data_hash),
    })
}

fn read_json(json: &[u8]) -> Result<Value> {
    if json.len() > MAX_JSON {
        return invalid(format!("a JSON text has more than {MAX_JSON} bytes"));
    }
    serde_json::from_slice(json).map_err(malformed)
}

/// Whether a value is base64 of `length` characters with the padding of its length. The decoder of the
/// library panics on text with wrong padding, so such text must not reach it.
fn is_base64(value: &Value, length: usize) -> bool {
    let Some(text) = value.as_str().filter(|text| text.len() == length) else {
        return false;
    };
    let digits = text.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    // 32 bytes end in one padding character, 64 bytes in two.
    text.len() - digits.len() == length / KEY_TEXT && digits.bytes().all(is_digit)
}

fn malformed(error: serde_json::Error) -> KernelError {
    KernelError::InvalidInput(format!("the JSON is not what the engine serves: {error}"))
}

fn parse_chain_id(chain_id: &str) -> Result<ChainId> {
    ChainId::try_from(chain_id.to_owned())
        .map_err(|_| KernelError::InvalidInput("the chain id is malformed".into()))
}

fn time(now_ns: i64) -> Result<Time> {
    let nanoseconds = now_ns.rem_euclid(1_000_000_000);
    // The remainder lies in 0..10^9 and fits.
    Time::from_unix_timestamp(now_ns.div_euclid(1_000_000_000), nanoseconds as u32)
        .map_err(|_| KernelError::InvalidInput("the time is out of range".into()))
}

fn options(trusting_period: Duration, clock: Clock) -> Options {
    Options {
        trust_threshold: TrustThresholdFraction::ONE_THIRD,
        trusting_period,
        clock_drift: Duration::from_secs(clock.drift_s),
    }
}

/// Text that starts the error of a skipping step with too few known signers; the caller may then
/// fetch a header between the two.
pub const NOT_ENOUGH_TRUST: &str = "not enough trust";

fn accept(verdict: Verdict) -> Result<()> {
    match verdict {
        Verdict::Success => Ok(()),
        Verdict::NotEnoughTrust(tally) => Err(KernelError::VerificationFailed(format!(
            "{NOT_ENOUGH_TRUST}: {} of {} known voting power signed",
            tally.tallied, tally.total
        ))),
        Verdict::Invalid(detail) => Err(KernelError::VerificationFailed(detail.to_string())),
    }
}

fn refused(reason: &str) -> KernelError {
    KernelError::VerificationFailed(reason.to_owned())
}
