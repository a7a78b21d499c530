//! What a sample of the realm tells about a search.

use denizen_model::pages::Total;

use super::{
    order::{Bounds, Order},
    sql::{self, Sampled},
    test::Test,
};
use crate::{conn::Engine, error::Result, tx::ReadTx};

/// So many rows that pass all tests tell how many users do.
const TELLING: f64 = 10.0;

/// What a sample of the realm says about the tests.
pub(super) struct Sample {
    /// The users of the realm.
    pub(super) population: u64,
    /// Its rows, in the order asked for.
    pub(super) rows: Vec<Sampled>,
    /// So many of them are before the place asked for.
    before: usize,
    /// About so many users pass all tests.
    pub(super) matches: u64,
    /// Hardly anybody has all of so many parts of each word but those who have the words; `None`: others do.
    parts: Option<usize>,
    /// Of each test, whether it is about a word that many have, and hardly anybody else its middle part.
    by_middle: Vec<bool>,
}

impl Sample {
    pub(super) fn take(
        tx: &mut ReadTx<'_>,
        realm_num: i64,
        order: Order,
        bounds: &Bounds,
        tests: &[Test],
        population: u64,
        small: u64,
    ) -> Result<Self> {
        // What else is looked for makes up for fewer parts of each word.
        let parts = if tests.len() > 1 { 2 } else { 4 };
        let mut sample = Self::none(population, tests, Some(parts));
        if population <= small {
            return Ok(sample);
        }
        sample.parts = None;
        let rows = sql::sample(tx, realm_num, order, tests, parts)?;
        // A realm with few of the sampled rows is small beside the others: the index knows.
        if (rows.len() as u64) < small / 30 {
            return Ok(sample);
        }
        sample.tell(rows, tests, tx.engine(), parts);
        sample.put_in_order(order, bounds);
        Ok(sample)
    }

    fn none(population: u64, tests: &[Test], parts: Option<usize>) -> Self {
        // Nearly everybody lacks what no index is asked for.
        let matches = if tests.iter().any(Test::is_indexed) { 0 } else { population };
        Self { population, rows: Vec::new(), before: 0, matches, parts, by_middle: vec![false; tests.len()] }
    }

    /// What these rows of it tell.
    fn tell(&mut self, rows: Vec<Sampled>, tests: &[Test], engine: Engine, parts: usize) {
        // What few rows say by themselves is little; as far as they do not tell, the tests are taken for independent.
        let all = share(&rows, |passed| passed.iter().all(|passed| *passed));
        let each = |at: usize| share(&rows, |passed| passed.get(at) == Some(&true));
        let independent = (0..tests.len()).map(each).product::<f64>();
        let told = (all * rows.len() as f64 / TELLING).min(1.0);
        self.matches = ((told * all + (1.0 - told) * independent) * self.population as f64) as u64;
        let has_words = |sampled: &&Sampled| {
            sampled.passed.iter().zip(tests).all(|(passed, test)| *passed || !test.has_parts(engine))
        };
        let in_parts = rows.iter().filter(|sampled| sampled.in_parts).count();
        self.parts = (in_parts <= rows.iter().filter(has_words).count() * 2 + 1).then_some(parts);
        let having = |has: &dyn Fn(&Sampled) -> bool| rows.iter().filter(|sampled| has(sampled)).count() as f64;
        let by_middle = |(at, test): (usize, &Test)| {
            let word = having(&|sampled| sampled.passed.get(at) == Some(&true));
            let middle = having(&|sampled| sampled.has_middle.get(at) == Some(&true));
            test.middle().is_some() && word >= TELLING && middle <= word * 1.25
        };
        self.by_middle = tests.iter().enumerate().map(by_middle).collect();
        self.rows = rows;
    }

    /// For how many parts of its word an index of trigrams is asked by the test at this place; `None`: for the whole.
    pub(super) fn parts_of(&self, at: usize) -> Option<usize> {
        if self.by_middle.get(at) == Some(&true) { Some(1) } else { self.parts }
    }

    fn put_in_order(&mut self, order: Order, bounds: &Bounds) {
        self.rows.sort_unstable_by(|a, b| order.compare(&a.row, &b.row));
        let is_before = |row: &Sampled| bounds.place.as_ref().is_some_and(|place| !order.is_beyond(&row.row, place));
        self.before = self.rows.partition_point(is_before);
    }

    /// A sample of these rows.
    #[cfg(test)]
    pub(super) fn of(
        population: u64,
        rows: Vec<Sampled>,
        order: Order,
        bounds: &Bounds,
        tests: &[Test],
        engine: Engine,
    ) -> Self {
        let mut sample = Self::none(population, tests, None);
        sample.tell(rows, tests, engine, 2);
        sample.put_in_order(order, bounds);
        sample
    }

    /// Those of its rows that the page asked for may begin with, in the order asked for.
    pub(super) fn beyond(&self) -> &[Sampled] {
        self.rows.get(self.before..).unwrap_or_default()
    }

    /// How many users each of its rows stands for.
    pub(super) fn each(&self) -> u64 {
        self.population / (self.rows.len().max(1) as u64)
    }

    /// The share of users that pass the test at this place of the list of tests.
    pub(super) fn share_of(&self, at: usize) -> f64 {
        share(&self.rows, |passed| passed.get(at) == Some(&true))
    }

    /// The share of users that pass all of these tests.
    pub(super) fn share_of_all(&self, wanted: impl Fn(usize) -> bool) -> f64 {
        share(&self.rows, |passed| passed.iter().enumerate().all(|(at, passed)| *passed || !wanted(at)))
    }

    /// Whether the realm is small beside the others, so that an index of all realms' users has little to do with it.
    pub(super) fn is_of_small_realm(&self) -> bool {
        self.rows.len() < 100
    }

    pub(super) fn estimate(&self) -> Total {
        // Two digits are as much as a sample can tell.
        let magnitude = 10_u64.pow(self.matches.max(1).ilog10().saturating_sub(1));
        Total { count: self.matches.div_ceil(magnitude) * magnitude, exact: false }
    }
}

fn share(rows: &[Sampled], passes: impl Fn(&[bool]) -> bool) -> f64 {
    let passing = rows.iter().filter(|sampled| passes(&sampled.passed)).count();
    passing as f64 / rows.len().max(1) as f64
}
