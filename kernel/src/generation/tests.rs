//! Word for word against tfhe: the same keys, the same masks, no noise.

use tfhe::core_crypto::prelude::{
    generate_lwe_compact_public_key, generate_seeded_lwe_bootstrap_key,
    generate_seeded_lwe_keyswitch_key, generate_seeded_lwe_packing_keyswitch_key,
    CiphertextModulus, DefaultRandomGenerator, DynamicDistribution, EncryptionRandomGenerator,
    GlweSecretKey, LweCompactPublicKey, LweDimension, LweSecretKey, PolynomialSize, StandardDev,
    UnsignedInteger,
};
use tfhe::core_crypto::seeders::new_seeder;
use zeroize::Zeroizing;

use super::container;
use super::convolution::SharedPolynomials;
use super::mask;
use super::plan::Plan;
use super::rows::{bodies, factors, Inputs, OutputKey, CHECK_VALUE};
use super::shape::{Part, Shape};
use crate::fhe::parameters::ParameterSet;
use crate::ring::element::{Element, Word};
use crate::ring::shamir;

const SEED: [u8; 16] = [7; 16];

/// Bits that look random.
fn bits<W: Word>(count: usize, salt: usize) -> Vec<W> {
    let bit = |index: usize| (index * index / 3 + index / 7 + salt * index) % 2 == 1;
    let word = |index| if bit(index) { W::ONE } else { W::ZERO };
    (0..count).map(word).collect()
}

fn shape_of(part: Part) -> Shape {
    let plan = Plan::new(ParameterSet::Test).expect("known set");
    let found = plan.shapes().find(|shape| shape.part == part);
    found.expect("a part of the test set")
}

/// Bodies of a part that two of four parties put together, chunk by chunk.
fn ours<W>(part: Part, key: &[W], input: &[W]) -> Vec<W>
where
    W: super::keys::Keyed,
{
    let shares = |secrets: &[W], salt: u8| match secrets.is_empty() {
        true => vec![Vec::new(); 4],
        false => shamir::share(secrets, 4, 1, &[salt; 32]).expect("shares"),
    };
    let (keys, inputs) = (shares(key, 1), shares(input, 2));
    let plan = Plan::new(ParameterSet::Test).expect("known set");
    let mut words = Vec::new();
    for chunk in plan.chunks.iter().filter(|c| c.shape.part == part) {
        let shape = chunk.shape;
        let first = chunk.units.start * shape.rows;
        let masks = mask::rows::<W>(&shape, SEED, first, chunk.units.len() * shape.rows);
        let masks = masks.expect("masks");
        let products: Vec<W> = match shape.products {
            0 => Vec::new(),
            _ => input[chunk.units.clone()]
                .iter()
                .flat_map(|bit| key.iter().map(|s| bit.wrapping_mul(*s)))
                .collect(),
        };
        let products = shares(&products, 3);
        let parties = [2, 4];
        let opened = parties.map(|party| {
            let (key, input) = (&keys[party - 1], &inputs[party - 1]);
            let polynomials = SharedPolynomials::new(key, shape.width.max(32)).expect("tables");
            let output = match shape.width {
                1 => OutputKey::Words(key),
                _ => OutputKey::Polynomials(&polynomials),
            };
            if shape.products > 0 {
                assert_eq!(factors(chunk, input, key).len(), chunk.products());
            }
            let mut inputs = Inputs {
                key: output,
                input,
                noise: Zeroizing::new(vec![Element::zero(); chunk.words()]),
                products: &products[party - 1],
            };
            bodies(chunk, &masks, &mut inputs).expect("bodies")
        });
        let weights = shamir::lagrange_at_zero::<W>(&parties).expect("weights");
        words.extend(opened[0].iter().zip(&opened[1]).map(|(one, other)| {
            let value = weights[0] * *one + weights[1] * *other;
            assert_eq!(value, Element::scalar(value.0[0]));
            value.0[0]
        }));
    }
    words
}

fn silent<T: UnsignedInteger>() -> DynamicDistribution<T> {
    DynamicDistribution::new_gaussian_from_std_dev(StandardDev(0.0))
}

fn switch_agrees(part: Part) {
    let shape = shape_of(part);
    let (input, output) = (bits::<u64>(shape.units, 1), bits::<u64>(shape.mask, 2));
    let empty = vec![0; shape.words()];
    let mut expected = container::key_switch(&shape, SEED, empty);
    generate_seeded_lwe_keyswitch_key(
        &LweSecretKey::from_container(input.clone()),
        &LweSecretKey::from_container(output.clone()),
        &mut expected,
        silent(),
        new_seeder().as_mut(),
    );
    assert_eq!(ours(part, &output, &input), expected.into_container());
}

#[test]
fn key_switches_are_those_of_tfhe() {
    switch_agrees(Part::KeySwitch);
    switch_agrees(Part::Casting);
}

#[test]
fn bootstraps_are_those_of_tfhe() {
    let shape = shape_of(Part::Bootstrap);
    // More input bits than the test set has are tested with the wide key below.
    let (input, output) = (vec![1u64; shape.units], bits::<u64>(shape.mask, 2));
    let mut expected = container::bootstrap(&shape, SEED, vec![0u64; shape.words()]);
    generate_seeded_lwe_bootstrap_key(
        &LweSecretKey::from_container(input.clone()),
        &GlweSecretKey::from_container(output.clone(), PolynomialSize(shape.width)),
        &mut expected,
        silent(),
        new_seeder().as_mut(),
    );
    let words = ours(Part::Bootstrap, &output, &input);
    assert_eq!(words, expected.into_container());
}

#[test]
fn squashing_keys_are_those_of_tfhe() {
    let shape = shape_of(Part::Squashing);
    let (input, output) = (vec![1u128; shape.units], bits::<u128>(shape.mask, 2));
    let mut expected = container::bootstrap(&shape, SEED, vec![0u128; shape.words()]);
    let squashed = GlweSecretKey::from_container(output.clone(), PolynomialSize(shape.width));
    generate_seeded_lwe_bootstrap_key(
        &LweSecretKey::from_container(vec![1u128; shape.units]),
        &squashed,
        &mut expected,
        silent(),
        new_seeder().as_mut(),
    );
    let words = ours(Part::Squashing, &output, &input);
    assert_eq!(words, expected.into_container());

    let shape = shape_of(Part::Packing);
    let packed = bits::<u128>(shape.mask, 3);
    let mut expected = container::packing(&shape, SEED, vec![0u128; shape.words()]);
    generate_seeded_lwe_packing_keyswitch_key(
        &LweSecretKey::from_container(output.clone()),
        &GlweSecretKey::from_container(packed.clone(), PolynomialSize(shape.width)),
        &mut expected,
        silent(),
        new_seeder().as_mut(),
    );
    let words = ours(Part::Packing, &packed, &output);
    assert_eq!(words, expected.into_container());
}

#[test]
fn public_keys_are_those_of_tfhe() {
    let shape = shape_of(Part::PublicKey);
    let secret = bits::<u64>(shape.mask, 4);
    let reversed: Vec<u64> = secret.iter().rev().copied().collect();
    let key = LweSecretKey::from_container(secret);
    let modulus = CiphertextModulus::new_native();
    let mut expected = LweCompactPublicKey::new(0u64, LweDimension(shape.mask), modulus);
    let mut seeder = new_seeder();
    let mut generator = EncryptionRandomGenerator::<DefaultRandomGenerator>::new(
        mask::seed_of(Part::PublicKey, SEED),
        seeder.as_mut(),
    );
    generate_lwe_compact_public_key(&key, &mut expected, silent(), &mut generator);
    let masks = mask::rows::<u64>(&shape, SEED, 0, 1).expect("masks");
    let words = [masks, ours(Part::PublicKey, &reversed, &[])].concat();
    assert_eq!(words, expected.as_ref());
}

#[test]
fn the_check_ciphertext_holds_its_number() {
    let shape = shape_of(Part::Check);
    let key = bits::<u64>(shape.mask, 5);
    let masks = mask::rows::<u64>(&shape, SEED, 0, shape.units).expect("masks");
    let words = ours(Part::Check, &key, &[]);
    for (block, (mask, body)) in masks.chunks(shape.mask).zip(words).enumerate() {
        let inner = mask.iter().zip(&key);
        let inner = inner.fold(0u64, |sum, (a, s)| sum.wrapping_add(a.wrapping_mul(*s)));
        let content = u64::from(CHECK_VALUE >> (2 * block) & 3);
        assert_eq!(body.wrapping_sub(inner), content << 59);
    }
}

#[test]
fn masks_do_not_depend_on_where_one_begins() {
    let shape = shape_of(Part::Packing);
    let all = mask::rows::<u128>(&shape, SEED, 0, 9).expect("masks");
    for first in 0..9 {
        let part = mask::rows::<u128>(&shape, SEED, first, 9 - first).expect("masks");
        assert_eq!(part, all[first * shape.mask..]);
    }
    assert_ne!(
        all[..4],
        mask::rows::<u128>(&shape_of(Part::Squashing), SEED, 0, 1).expect("masks")[..4]
    );
}
