//! A search on the way that is chosen for it.

use denizen_model::pages::Total;

use super::{
    Found, Limits, best,
    order::{Bounds, Order, Row},
    sample::Sample,
    sql::{self, Part, Walk},
    test::Test,
};
use crate::{error::Result, tx::ReadTx};

mod choice;

/// A search under way.
pub(super) struct Search {
    pub(super) realm_num: i64,
    pub(super) order: Order,
    pub(super) tests: Vec<Test>,
    pub(super) sample: Sample,
    pub(super) wanted: i64,
    pub(super) limits: Limits,
}

impl Search {
    /// A page in the order asked for. Where matches are scarce, what is near is found in their place.
    pub(super) fn find(mut self, tx: &mut ReadTx<'_>, bounds: &Bounds, terms: &[String]) -> Result<Found> {
        let Some(rows) = self.few(tx)? else { return self.many(tx, bounds) };
        if !best::is_scarce(rows.len()) || terms.is_empty() {
            return Ok(self.page(rows, bounds));
        }
        let mut near = self.near(tx, bounds, terms, rows.is_empty())?;
        match near.few(tx)? {
            Some(rows) => Ok(near.page(rows, bounds)),
            None => near.many(tx, bounds),
        }
    }

    /// A page of all matches.
    fn page(&self, rows: Vec<Row>, bounds: &Bounds) -> Found {
        let total = Total::exact(rows.len() as u64);
        Found { rows: self.order.page(rows, bounds, self.wanted), total }
    }

    /// All matches, in no order, where they are few and quickly found.
    pub(super) fn few(&mut self, tx: &mut ReadTx<'_>) -> Result<Option<Vec<Row>>> {
        let (asking, limits) = (self.asking(tx.engine()), self.limits);
        let is_short = self.is_short(tx)?;
        if !is_short && !self.is_worth_asking(tx.engine(), &asking, limits.few) {
            return Ok(None);
        }
        let wanted = limits.few_at_most + 1;
        let rows = if is_short {
            let all = Part {
                realm_num: self.realm_num,
                order: self.order,
                bounds: &Bounds::default(),
                tests: &self.tests,
                wanted,
            };
            sql::walk(tx, all, &Walk { rows: i64::MAX, among: None })?
        } else {
            sql::found(tx, self.realm_num, self.order, &self.tests, &asking, wanted)?
        };
        Ok(self.if_few(rows))
    }

    /// Whether a test leaves so little of the order, or the realm is so small, that walking over all of it is quicker
    /// than asking another index, or no index is to be asked.
    fn is_short(&self, tx: &mut ReadTx<'_>) -> Result<bool> {
        if self.sample.population <= self.limits.small && !self.is_indexed() {
            return Ok(true);
        }
        let most = 2 * self.limits.few;
        let mut tests = self.tests.iter().enumerate();
        let Some((at, test)) = tests.find(|(_, test)| self.order.is_bound(test)) else { return Ok(false) };
        // By itself it is the part of the order that a page is read from.
        if self.tests.len() == 1 {
            return Ok(false);
        }
        // Those who were created together are together in a sample, which makes them more or fewer than they are.
        let left = self.sample.share_of(at) * self.sample.population as f64;
        if !self.is_narrow(tx.engine()) || left > (8 * most) as f64 {
            return Ok(false);
        }
        let counted = sql::count(tx, self.realm_num, test, most.cast_signed() + 1)?;
        Ok(counted <= most.cast_signed())
    }

    /// The rows, unless they are more than few after all.
    pub(super) fn if_few<T>(&mut self, rows: Vec<T>) -> Option<Vec<T>> {
        let most = self.limits.few_at_most;
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) <= most {
            return Some(rows);
        }
        self.sample.matches = self.sample.matches.max(most.unsigned_abs());
        None
    }

    /// The search for what is near to the words, and what has them, under the same filters.
    pub(super) fn near(&self, tx: &mut ReadTx<'_>, bounds: &Bounds, terms: &[String], nobody: bool) -> Result<Self> {
        // Of one word that nobody has, what is near is looked for alone.
        let alone = nobody && terms.len() == 1 && self.tests.len() == 1;
        let mut tests = best::near_tests(tx, terms, alone)?;
        tests.extend(self.tests.iter().skip(terms.len()).cloned());
        let (order, limits) = (self.order, self.limits);
        let sample = Sample::take(tx, self.realm_num, order, bounds, &tests, self.sample.population, limits.small)?;
        Ok(Self { realm_num: self.realm_num, order, tests, sample, wanted: self.wanted, limits })
    }

    fn part<'q>(&'q self, bounds: &'q Bounds) -> Part<'q> {
        let Self { realm_num, order, ref tests, wanted, .. } = *self;
        Part { realm_num, order, bounds, tests, wanted }
    }

    /// A page of many matches.
    pub(super) fn many(&self, tx: &mut ReadTx<'_>, bounds: &Bounds) -> Result<Found> {
        let total = self.total(tx)?;
        let walks = self.walks(tx.engine());
        for walk in &walks {
            let rows = sql::walk(tx, self.part(bounds), walk)?;
            if self.is_enough(&rows) || (self.may_end(walk) && walk.ends(tx, self.part(bounds))?) {
                return Ok(Found { rows, total });
            }
        }
        let walked = walks.iter().map(|walk| walk.rows.unsigned_abs()).max().unwrap_or(0);
        if let Some((cut, left)) = self.cut().filter(|(_, left)| *left > walked) {
            let (cut, asking) = (Bounds { cut: Some(cut), ..bounds.clone() }, self.asking_to_sort(tx.engine(), left));
            let rows = sql::sorted(tx, self.part(&cut), &asking)?;
            if self.is_enough(&rows) {
                return Ok(Found { rows, total });
            }
        }
        let asking = self.asking_to_sort(tx.engine(), self.left());
        let rows = sql::sorted(tx, self.part(bounds), &asking)?;
        Ok(Found { rows, total })
    }

    /// The total where matches are many: exact where one index alone counts them quickly.
    pub(super) fn total(&self, tx: &mut ReadTx<'_>) -> Result<Total> {
        if let [test @ Test::Within { .. }] = self.tests.as_slice() {
            let most = self.limits.few_at_most * 2;
            let counted = sql::count(tx, self.realm_num, test, most + 1)?;
            if counted <= most {
                return Ok(Total::exact(counted.unsigned_abs()));
            }
        }
        Ok(self.sample.estimate())
    }

    fn is_enough(&self, rows: &[Row]) -> bool {
        i64::try_from(rows.len()).unwrap_or(i64::MAX) >= self.wanted
    }
}
