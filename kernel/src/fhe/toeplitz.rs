//! Some coefficients of a product of polynomials mod X^size + 1, with 27 products of words instead of 64.
//!
//! Coefficient r is the sum over c of a(r - c) v_c with a(d) = mask\[d\], or -mask\[size + d\] for d < 0: a
//! Toeplitz matrix times a vector. A matrix (B1 B0; B2 B1) times (V0; V1) is (M1 + M2; M1 + M3) for
//! M1 = B1 (V0 + V1), M2 = (B0 - B1) V1, M3 = (B2 - B1) V0: three products of half the size. Used three
//! times, on squares of eight rows and columns. What the columns need is computed once for all rows, what
//! the matrix needs once for the four coordinates of the elements.

use zeroize::Zeroize;

use crate::ring::element::{Element, DEGREE};

/// Rows and columns of a square.
pub const SIDE: usize = 8;

/// Products of a square.
const PRODUCTS: usize = 27;

/// Factors of the matrix a(-7)..a(7), in the order M1, M2, M3 of each halving.
fn matrix(a: &[u128; 15]) -> [u128; PRODUCTS] {
    let mut fours = [[0; 7]; 3];
    for i in 0..7 {
        fours[0][i] = a[4 + i];
        fours[1][i] = a[i].wrapping_sub(a[4 + i]);
        fours[2][i] = a[8 + i].wrapping_sub(a[4 + i]);
    }
    let mut found = [0; PRODUCTS];
    for (place, four) in fours.iter().enumerate() {
        let mut twos = [[0; 3]; 3];
        for i in 0..3 {
            twos[0][i] = four[2 + i];
            twos[1][i] = four[i].wrapping_sub(four[2 + i]);
            twos[2][i] = four[4 + i].wrapping_sub(four[2 + i]);
        }
        for (pair, two) in twos.iter().enumerate() {
            let first = 9 * place + 3 * pair;
            found[first] = two[1];
            found[first + 1] = two[0].wrapping_sub(two[1]);
            found[first + 2] = two[2].wrapping_sub(two[1]);
        }
    }
    found
}

/// Factors of eight words of a column, in the same order.
fn vector(v: &[u128; SIDE]) -> [u128; PRODUCTS] {
    let mut fours = [[0; 4]; 3];
    for i in 0..4 {
        fours[0][i] = v[i].wrapping_add(v[4 + i]);
        fours[1][i] = v[4 + i];
        fours[2][i] = v[i];
    }
    let mut found = [0; PRODUCTS];
    for (place, [a, b, c, d]) in fours.into_iter().enumerate() {
        let twos = [[a.wrapping_add(c), b.wrapping_add(d)], [c, d], [a, b]];
        for (pair, [first, second]) in twos.into_iter().enumerate() {
            let start = 9 * place + 3 * pair;
            found[start] = first.wrapping_add(second);
            found[start + 1] = second;
            found[start + 2] = first;
        }
    }
    found
}

/// Add the product of a square to eight sums.
#[inline]
fn add_square(matrix: &[u128; PRODUCTS], vector: &[u128; PRODUCTS], sums: &mut [u128; SIDE]) {
    for place in 0..3 {
        let mut four = [0_u128; 4];
        for pair in 0..3 {
            let first = 9 * place + 3 * pair;
            let shared = matrix[first].wrapping_mul(vector[first]);
            let upper = matrix[first + 1]
                .wrapping_mul(vector[first + 1])
                .wrapping_add(shared);
            let lower = matrix[first + 2]
                .wrapping_mul(vector[first + 2])
                .wrapping_add(shared);
            if pair != 2 {
                four[0] = four[0].wrapping_add(upper);
                four[1] = four[1].wrapping_add(lower);
            }
            if pair != 1 {
                four[2] = four[2].wrapping_add(upper);
                four[3] = four[3].wrapping_add(lower);
            }
        }
        for (i, part) in four.into_iter().enumerate() {
            if place != 2 {
                sums[i] = sums[i].wrapping_add(part);
            }
            if place != 1 {
                sums[4 + i] = sums[4 + i].wrapping_add(part);
            }
        }
    }
}

/// Add the lowest coefficients of mask times key to `sums`; all lengths are multiples of [`SIDE`], and
/// there are at most as many sums as coefficients.
pub fn add_product(mask: &[u128], key: &[Element<u128>], sums: &mut [Element<u128>]) {
    // diagonals[size + d] is a(d), d from -size to the number of sums.
    let mut diagonals: Vec<u128> = mask.iter().map(|word| word.wrapping_neg()).collect();
    diagonals.extend_from_slice(&mask[..sums.len()]);
    let groups = sums.len() / SIDE;
    let mut found = vec![[[0; SIDE]; DEGREE]; groups];
    for (square, columns) in key.chunks_exact(SIDE).enumerate() {
        let mut vectors: [[u128; PRODUCTS]; DEGREE] = std::array::from_fn(|coordinate| {
            vector(&std::array::from_fn(|i| columns[i].0[coordinate]))
        });
        for (group, rows) in found.iter_mut().enumerate() {
            let first = mask.len() + SIDE * group - SIDE * square - (SIDE - 1);
            let Some(around) = diagonals[first..].first_chunk() else {
                continue;
            };
            let matrix = matrix(around);
            for (vector, sums) in vectors.iter().zip(rows) {
                add_square(&matrix, vector, sums);
            }
        }
        vectors.zeroize();
    }
    for (rows, found) in sums.chunks_exact_mut(SIDE).zip(&found) {
        for (i, row) in rows.iter_mut().enumerate() {
            *row += Element(std::array::from_fn(|coordinate| found[coordinate][i]));
        }
    }
    found.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_definition() {
        let word = |index: u128| {
            (index + 7)
                .wrapping_pow(9)
                .wrapping_mul(0x9e37_79b9 << 60 | 5)
        };
        let size = 32;
        let mask: Vec<u128> = (0..size as u128).map(word).collect();
        let key: Vec<Element<u128>> = (0..size as u128)
            .map(|i| Element(std::array::from_fn(|j| word(100 + 4 * i + j as u128))))
            .collect();
        for count in [8, 16, size] {
            let mut sums = vec![Element::one(); count];
            add_product(&mask, &key, &mut sums);
            for (row, sum) in sums.iter().enumerate() {
                let mut expected = Element::one();
                for (column, share) in key.iter().enumerate() {
                    expected += if column <= row {
                        share.scale(mask[row - column])
                    } else {
                        share.scale(mask[size + row - column].wrapping_neg())
                    };
                }
                assert_eq!(*sum, expected);
            }
        }
    }
}
