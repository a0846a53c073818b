//! Numbers that were measured, and what they amount to.

use serde::Serialize;

/// Times in nanoseconds, in the order they were taken.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Samples(Vec<u64>);

impl Samples {
    /// One more.
    pub fn push(&mut self, nanoseconds: u64) {
        self.0.push(nanoseconds);
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// In the order they were taken.
    #[must_use]
    pub fn all(&self) -> &[u64] {
        &self.0
    }

    /// The sample below which this share of all lies (nearest rank).
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    /// Half of the samples are not above it.
    #[must_use]
    pub fn median(&self) -> u64 {
        self.quantile(0.5)
    }

    /// One in a hundred is above it.
    #[must_use]
    pub fn p99(&self) -> u64 {
        self.quantile(0.99)
    }

    /// By how much these are above others that were taken in pairs with them: the
    /// mean, and half the width of its 95 % interval (normal, by the deviation of
    /// the differences).
    #[must_use]
    pub fn difference(&self, other: &Self) -> (f64, f64) {
        let pairs = self.0.iter().zip(&other.0);
        let all: Vec<f64> = pairs.map(|(a, b)| *a as f64 - *b as f64).collect();
        let count = all.len() as f64;
        let mean = all.iter().sum::<f64>() / count;
        let squares: f64 = all.iter().map(|it| (it - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        (mean, 1.96 * deviation / count.sqrt())
    }
}

impl FromIterator<u64> for Samples {
    fn from_iter<T: IntoIterator<Item = u64>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}
