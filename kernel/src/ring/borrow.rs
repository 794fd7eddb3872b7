//! The tree of products that finds a borrow: neighbouring positions combined, level by level.
//!
//! A node stands for some positions: whether a borrow arises in them, and whether one that comes from below
//! goes through. Of two nodes, `generate = high.generate + high.propagate * low.generate` and
//! `propagate = high.propagate * low.propagate`; a borrow never does both, so sums need no product.

use zeroize::Zeroizing;

use super::element::Element;

/// A range of positions: whether it makes a borrow, and whether it hands one through.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) generate: Element<u64>,
    pub(super) propagate: Element<u64>,
}

impl zeroize::Zeroize for Node {
    fn zeroize(&mut self) {
        self.generate.zeroize();
        self.propagate.zeroize();
    }
}

/// One position, whose bit of c is the lowest of `public`.
pub(super) fn leaf(public: u64, bit: Element<u64>) -> Node {
    if public & 1 == 1 {
        Node {
            generate: Element::zero(),
            propagate: bit,
        }
    } else {
        Node {
            generate: bit,
            propagate: Element::one() - bit,
        }
    }
}

/// Two positions whose bits of c are the lowest two of `public`, from the product of their bits.
pub(super) fn pair(
    public: u64,
    low: Element<u64>,
    high: Element<u64>,
    product: Element<u64>,
) -> Node {
    let above = leaf(public >> 1, high);
    // What the higher position hands through, times the lower bit.
    let through = if public & 2 == 2 {
        product
    } else {
        low - product
    };
    if public & 1 == 1 {
        Node {
            generate: above.generate,
            propagate: through,
        }
    } else {
        Node {
            generate: above.generate + through,
            propagate: above.propagate - through,
        }
    }
}

/// Products that combine `width` nodes of a block: the lowest pair needs no propagation.
pub(super) fn products_of(width: usize) -> usize {
    match width / 2 {
        0 => 0,
        pairs => 2 * pairs - 1,
    }
}

/// Factors of the products of one level, block by block.
pub(super) fn factors_of(
    nodes: &[Node],
    width: usize,
) -> Zeroizing<Vec<(Element<u64>, Element<u64>)>> {
    let mut factors = Zeroizing::new(Vec::new());
    for block in nodes.chunks_exact(width) {
        for (index, nodes) in block.chunks_exact(2).enumerate() {
            let (low, high) = (nodes[0], nodes[1]);
            factors.push((high.propagate, low.generate));
            if index > 0 {
                factors.push((high.propagate, low.propagate));
            }
        }
    }
    factors
}

/// The nodes of the next level and how many a block has.
pub(super) fn combined(
    nodes: &[Node],
    width: usize,
    products: &[Element<u64>],
) -> (Zeroizing<Vec<Node>>, usize) {
    let next = width.div_ceil(2);
    let mut result = Zeroizing::new(Vec::with_capacity(nodes.len() / width * next));
    let mut products = products.iter();
    let mut product = || products.next().copied().unwrap_or_default();
    for block in nodes.chunks_exact(width) {
        for (index, nodes) in block.chunks(2).enumerate() {
            result.push(match nodes {
                [_, high] => Node {
                    generate: high.generate + product(),
                    propagate: if index > 0 {
                        product()
                    } else {
                        Element::zero()
                    },
                },
                // The highest of an odd number goes up as it is.
                _ => nodes[0],
            });
        }
    }
    (result, next)
}
