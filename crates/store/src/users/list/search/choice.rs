//! Which way a search takes: what each costs, and how far it would have to go.

use denizen_model::{pages::CursorKey, users::UserSort};

use super::{
    super::{
        COMMON,
        sql::{Asking, Walk},
        test::Test,
    },
    Search,
};
use crate::conn::Engine;

#[cfg(test)]
mod tests;

/// What a step to the next entry of an index and a test of it cost, where reading a row costs one.
const ENTRY: f64 = 1.0 / 6.0;
/// The same on PostgreSQL where words are looked for in it.
const ENTRY_WITH_WORDS: f64 = 0.35;
/// The same where all entries of a range are gone through and tested.
const OF_RANGE: f64 = 1.0 / 8.0;

/// A walk's length is reckoned with bad luck: this much of it is walked on average.
const LUCK: f64 = 0.5;

/// What it costs to go through an entry of the index of texts and marks, of all lists that are asked for.
const LISTED: f64 = 1.0 / 128.0;
/// The same on PostgreSQL.
const LISTED_POSTGRES: f64 = 1.0 / 30.0;

/// How long a walk is.
struct Stretch {
    /// By then as many as are wanted have been met, if luck is not bad, or the end.
    likely: i64,
    /// Where it is given up.
    most: i64,
    /// Whether this is no guess: the sample has met matches there, or so little is left that all of it is walked.
    told: bool,
}

impl Search {
    /// As [`Search::asking`], for what is sorted within bounds that leave about so many of the order. Many are found by
    /// whole words: no more of them are read than match, and PostgreSQL knows better how many these are.
    pub(in super::super) fn asking_to_sort(&self, engine: Engine, left: u64) -> Asking {
        let asking = self.asking(engine);
        let found = self.rows_of_index(&asking);
        // An entry of the order costs a fraction of a row, but all within the bounds are gone through.
        let bounded = engine == Engine::Sqlite || left < found * 3;
        let parts = if found <= self.limits.few { asking.parts } else { vec![None; self.tests.len()] };
        Asking { parts, bounded, ..asking }
    }

    /// How the index is asked: for which tests, the others being made on the rows it finds. At least the rarest is
    /// asked.
    pub(in super::super) fn asking(&self, engine: Engine) -> Asking {
        let shares: Vec<f64> = (0..self.tests.len()).map(|at| self.sample.share_of(at)).collect();
        let indexed = self.tests.iter().zip(&shares).filter(|(test, _)| test.is_indexed());
        let rarest = indexed.map(|(_, share)| *share).fold(f64::INFINITY, f64::min);
        let tests = self.tests.iter().zip(&shares);
        let mut asked: Vec<bool> =
            tests.map(|(test, share)| test.is_indexed() && (*share <= COMMON || *share <= rarest)).collect();
        // PostgreSQL's passes quickly over those of a long list who are not in a short one.
        if engine == Engine::Postgres && rarest <= COMMON / 4.0 {
            let marks = (self.tests.iter().zip(&shares)).map(|(test, share)| test.is_mark() && *share <= 4.0 * COMMON);
            asked.iter_mut().zip(marks).for_each(|(asked, worth)| *asked |= worth);
        }
        // SQLite has an index of texts and indexes of keys; asking both is worth it when the latter has few rows.
        if engine == Engine::Sqlite {
            if let Some((range, along)) = self.range_told(&asked) {
                let tests = (0..self.tests.len()).map(|at| at == range).collect();
                let parts = vec![None; self.tests.len()];
                return Asking { tests, parts, realm: false, along: Some(along), bounded: true };
            }
            let by_text = |at: usize| asked.get(at) == Some(&true) && self.tests.get(at).is_some_and(Test::is_text);
            if (0..self.tests.len()).any(by_text) {
                let found = self.sample.share_of_all(by_text);
                let keys: Vec<bool> = (self.tests.iter().zip(&shares))
                    .map(|(test, share)| test.is_text() || *share < 2.5 * found)
                    .collect();
                asked.iter_mut().zip(keys).for_each(|(asked, worth)| *asked &= worth);
            }
        }
        Asking {
            tests: asked,
            parts: (0..self.tests.len()).map(|at| self.sample.parts_of(at)).collect(),
            realm: self.sample.is_of_small_realm(),
            along: None,
            bounded: true,
        }
    }

    pub(super) fn is_indexed(&self) -> bool {
        self.tests.iter().any(Test::is_indexed)
    }

    /// A test for a range whose own index tells all other tests, too, and the order of that index: where going through
    /// the range costs less than reading whom full text finds.
    fn range_told(&self, asked: &[bool]) -> Option<(usize, UserSort)> {
        let told = |test: &Test| {
            let along = test.order_of_range()?;
            self.tests.iter().all(|test| test.is_in_index_of(Engine::Sqlite, along)).then_some(along)
        };
        let ranges = self.tests.iter().enumerate().filter(|(at, _)| asked.get(*at) == Some(&true));
        let (at, along) = ranges.filter_map(|(at, test)| Some((at, told(test)?))).next()?;
        let by_text = |at: usize| asked.get(at) == Some(&true) && self.tests.get(at).is_some_and(Test::is_text);
        (self.sample.share_of(at) * OF_RANGE < self.sample.share_of_all(by_text)).then_some((at, along))
    }

    /// About so many rows are read when the index is asked, or what costs as much.
    fn rows_of_index(&self, asking: &Asking) -> u64 {
        let is_asked = |at: usize| asking.is_asked(at);
        let is_text = |at: usize| is_asked(at) && self.tests.get(at).is_some_and(Test::is_text);
        let share = match (0..self.tests.len()).any(is_text) {
            true => self.sample.share_of_all(is_text),
            false => self.sample.share_of_all(is_asked),
        };
        let rows = (share * self.sample.population as f64) as u64;
        match asking.along {
            Some(_) => (rows as f64 * OF_RANGE) as u64 + self.sample.matches,
            // Where the sample has too few to tell, the estimate has more in it than they.
            None => rows.max(self.sample.matches),
        }
    }

    /// About so many entries of the index of texts and marks are gone through when it is asked.
    fn listed(&self, asking: &Asking) -> f64 {
        let asked = self.tests.iter().enumerate().filter(|(at, test)| asking.is_asked(*at) && test.is_text());
        let lists = |at, test: &Test| if test.is_mark() { 1 } else { asking.parts_of(at).unwrap_or(4) };
        let share: f64 = asked.map(|(at, test)| self.sample.share_of(at) * lists(at, test) as f64).sum();
        share * self.sample.population as f64
    }

    /// Whether the index of the order tells who passes the tests, so that a walk reads no rows: many times quicker.
    pub(super) fn is_narrow(&self, engine: Engine) -> bool {
        self.tests.iter().all(|test| test.is_in_index_of(engine, self.order.sort))
    }

    /// Whether words are looked for.
    fn has_words(&self) -> bool {
        self.tests.iter().any(|test| test.is_text() && !test.is_mark())
    }

    /// Whether those who pass stand together in the order, and who knows where: in orders of texts those with a word do.
    fn come_together(&self) -> bool {
        self.order.is_textual() && self.has_words()
    }

    /// What a step along the order costs, where reading a row costs one: little for an entry of the index, and for those
    /// that pass what it tells, the row. PostgreSQL reads each row unless the index tells all that is asked.
    fn step(&self, engine: Engine) -> f64 {
        let in_index = |at: usize| self.tests.get(at).is_some_and(|test| test.is_in_index_of(engine, self.order.sort));
        match engine {
            Engine::Postgres if self.is_narrow(engine) && self.has_words() => ENTRY_WITH_WORDS,
            _ if self.is_narrow(engine) => ENTRY,
            Engine::Sqlite => ENTRY + (1.0 - ENTRY) * self.sample.share_of_all(in_index),
            Engine::Postgres => 1.0,
        }
    }

    /// What a walk costs, where reading a row costs one.
    fn cost_of(&self, engine: Engine, stretch: &Stretch) -> f64 {
        // Those who stand together are met late or all at once.
        let luck = if self.come_together() { 1.0 } else { LUCK };
        stretch.likely as f64 * self.step(engine) * luck
    }

    fn walked_narrow(&self, engine: Engine) -> i64 {
        match engine {
            // What its index finds may be many more than match.
            Engine::Postgres if self.rows_of_index(&self.asking(engine)) <= self.limits.sorted_at_most => {
                self.limits.walked_narrow_postgres
            }
            _ => self.limits.walked_narrow,
        }
    }

    /// The walks on which as many matches as are wanted may be met, in the order they are to be tried.
    pub(in super::super) fn walks(&self, engine: Engine) -> Vec<Walk> {
        // What bounds the order leaves nothing to be looked for.
        if !self.is_indexed() || self.tests.iter().all(|test| self.order.is_bound(test)) {
            return vec![Walk { rows: i64::MAX, among: None }];
        }
        let (among, many) = (self.walk_among(engine), self.are_many_to_sort(engine));
        let alone = self.walk_alone(engine, among.as_ref().map(|(_, found)| *found));
        let alone = alone.max(self.worth_walking(engine)).map(|rows| Walk { rows, among: None });
        let mut walks: Vec<Walk> = alone.into_iter().chain(among.map(|(walk, _)| walk)).collect();
        let rows = self.longest(engine);
        if many && walks.iter().all(|walk| walk.rows < rows) {
            walks.push(Walk { rows, among: None });
        }
        walks
    }

    /// How long a walk along the order alone may be.
    fn longest(&self, engine: Engine) -> i64 {
        if self.is_narrow(engine) { self.walked_narrow(engine) } else { self.limits.walked_at_most }
    }

    /// Whether so many would be sorted that it is tried before to meet them.
    fn are_many_to_sort(&self, engine: Engine) -> bool {
        let found = self.rows_of_index(&self.asking(engine));
        match (self.is_narrow(engine), engine) {
            (true, Engine::Sqlite) => found > self.limits.found_rather_than_walked,
            (true, Engine::Postgres) => found > self.limits.sorted_at_most,
            (false, _) => self.sample.matches > self.limits.sorted_at_most,
        }
    }

    /// Whether PostgreSQL may sort so many sooner than it takes a long walk.
    fn is_sooner_sorted(&self, found: u64) -> bool {
        found <= self.limits.sorted_at_most / 2
    }

    /// How far to walk along the order alone to meet as many as are wanted, where another walk would be among so many.
    fn walk_alone(&self, engine: Engine, among: Option<u64>) -> Option<i64> {
        let (narrow, found) = (self.is_narrow(engine), self.rows_of_index(&self.asking(engine)));
        let rows = self.longest(engine);
        let Some(stretch) = self.own_stretch(engine) else { return self.is_tried(engine, found).then_some(rows) };
        let read = stretch.likely as f64 * self.step(engine);
        let is_short = narrow || (self.step(engine) < 0.9 && read * 2.0 <= self.limits.walked_at_most as f64);
        if among.is_some_and(|found| !is_short && read * 8.0 >= found as f64) {
            return None;
        }
        let twice = stretch.likely.saturating_mul(2);
        match (narrow, engine) {
            (false, _) => Some(stretch.most),
            (true, Engine::Postgres) if self.is_sooner_sorted(found) => match self.come_together() {
                // What the sample has met may be the first of few.
                true => (read <= found as f64).then_some(rows.min(twice)),
                // Bad luck costs as much there as sorting.
                false => Some(rows.min(twice.max(rows / 4))),
            },
            (true, _) => Some(rows),
        }
    }

    /// How far to walk on PostgreSQL rather than sort what is found: up to where the sample has enough matches, where
    /// that is not dearer. Else a try of so many rows is cheap beside sorting many, unless matches come together, as they
    /// may after its end.
    fn worth_walking(&self, engine: Engine) -> Option<i64> {
        if engine != Engine::Postgres || !self.is_narrow(engine) {
            return None;
        }
        let (together, found) = (self.come_together(), self.rows_of_index(&self.asking(engine)));
        let rows = self.walked_narrow(engine);
        let dearest = match together {
            true if self.is_sooner_sorted(found) => found as f64 / 2.0 / self.step(engine),
            true => found as f64 / self.step(engine),
            false => found as f64 * 3.0,
        };
        let enough = self.cut().map(|(_, left)| left.cast_signed());
        let tried = !together && !self.are_many_to_sort(engine) && found > self.limits.found_rather_than_walked;
        enough.filter(|left| (*left as f64) < dearest && *left < 3 * rows).or_else(|| tried.then_some(rows / 4))
    }

    /// Whether a walk is tried before so many are found, even if the sample says that matches come late: that costs less.
    /// In orders of texts matches often do.
    fn is_tried(&self, engine: Engine, found: u64) -> bool {
        self.is_narrow(engine) && !self.order.is_textual() && found > self.limits.found_rather_than_walked
    }

    /// A walk among those whom SQLite's full text finds, and how many these are: its steps are cheap, but all of them
    /// must be found before the first.
    fn walk_among(&self, engine: Engine) -> Option<(Walk, u64)> {
        let asking = self.asking(engine);
        let by_text =
            (0..self.tests.len()).any(|at| asking.is_asked(at) && self.tests.get(at).is_some_and(Test::is_text));
        let (most, found) = (self.limits.walked_narrow, self.rows_of_index(&asking));
        if engine != Engine::Sqlite || !by_text || found > most.unsigned_abs() {
            return None;
        }
        // Sorting what is found costs as much as three steps for each.
        let most = most.min(found.saturating_mul(3).cast_signed());
        let rows = match self.stretch(most, true) {
            Some(stretch) => stretch.most,
            // A try is cheap beside sorting so many.
            None if found > self.limits.found_rather_than_walked => most / 3,
            None => return None,
        };
        Some((Walk { rows, among: Some(asking) }, found))
    }

    /// How far to walk along the order alone, reading rows where its index does not tell who passes.
    fn own_stretch(&self, engine: Engine) -> Option<Stretch> {
        match self.is_narrow(engine) {
            true => self.stretch(self.walked_narrow(engine), true),
            false => {
                let most = match engine {
                    Engine::Sqlite => (self.limits.walked_at_most as f64 / self.step(engine)) as i64,
                    Engine::Postgres => self.limits.walked_at_most_postgres,
                };
                self.stretch(most.min(self.limits.walked_narrow), false)
            }
        }
    }

    /// How far to walk to meet as many matches as are wanted; `None` when that is too far, or when the sample shows
    /// that matches come late. Where steps are cheap a walk may go on past bad luck.
    fn stretch(&self, most: i64, cheap: bool) -> Option<Stretch> {
        // Close to the end of the list whatever is left is walked over.
        let (each, beyond) = (self.sample.each(), self.sample.beyond());
        let left = self.left();
        if beyond.len() < self.sample.rows.len() && left <= most.unsigned_abs() / 2 {
            return Some(Stretch { likely: left.cast_signed(), most, told: true });
        }
        let within = self.within();
        let matching = |passed: &&Vec<bool>| passed.iter().all(|passed| *passed);
        let matches = within.iter().filter(|passed| matching(passed)).count();
        let told = matches >= 3;
        let mut share = matches as f64 / within.len() as f64;
        if within.len() == beyond.len() {
            // What the whole sample tells holds here, too, unless these are remarkably few or many.
            let whole = self.sample.matches as f64 / self.sample.population as f64;
            let expected = whole * within.len() as f64;
            if (expected - matches as f64).abs() <= 2.0 * expected.sqrt() {
                share = whole;
            } else if matches < 3 {
                return None;
            }
        } else if matches < 3 {
            // Where the order is bounded, the sample has few rows within; then the tests are taken for independent.
            share = (0..self.tests.len()).filter(|at| !self.is_bound(*at)).map(|at| self.sample.share_of(at)).product();
        }
        let likely = (2.0 * self.wanted as f64 / share) as i64;
        // Were they spread evenly, so many others before the first would be a strange chance.
        let before = within.iter().take_while(|passed| !matching(passed)).count();
        let chance = (1.0 - share).powf(before as f64);
        if !cheap {
            return (chance >= 0.001 && likely <= most).then(|| Stretch { likely, most: likely.max(most / 100), told });
        }
        // The sample has one so far away.
        let first = (before as u64).saturating_mul(each).cast_signed();
        let late = chance < 0.02;
        let likely = if late { first.saturating_add(likely) } else { likely };
        if matches > 0 && first <= most {
            return Some(Stretch { likely, most, told });
        }
        (likely <= most).then(|| Stretch { likely, most: most.min(likely.saturating_mul(2)), told })
    }

    /// A key up to which there are more than enough matches, by the sample, and about how many users.
    pub(super) fn cut(&self) -> Option<(CursorKey, u64)> {
        let (each, wanted) = (self.sample.each(), self.wanted.unsigned_abs());
        if each < wanted * 2 {
            return None;
        }
        let beyond = self.sample.beyond();
        let matches = |at: &usize| beyond.get(*at).is_some_and(|sampled| sampled.passed.iter().all(|passed| *passed));
        let mut matching = (0..beyond.len()).filter(matches);
        let (first, second) = (matching.next()?, matching.next()?);
        // Half way between the first two that the sample has there are, all but surely, as many as are wanted, if each
        // stands for many and they do not stand together.
        let enough = match each {
            each if each < wanted * 8 => matching.next()?,
            _ if self.come_together() => second,
            _ => usize::midpoint(first, second),
        };
        beyond.get(enough).map(|sampled| (sampled.row.key.clone(), each * (enough as u64 + 1)))
    }

    /// Whether the index is asked for all matches: it has few, and a walk would not be shorter.
    pub(in super::super) fn is_worth_asking(&self, engine: Engine, asking: &Asking, few: u64) -> bool {
        let rows = self.rows_of_index(asking);
        let listed = if engine == Engine::Postgres { LISTED_POSTGRES } else { LISTED };
        let cost = rows as f64 + self.listed(asking) * listed;
        let walks = self.own_stretch(engine).is_some_and(|stretch| {
            let tried = !self.come_together() && stretch.likely <= self.limits.walked_narrow / 2;
            (stretch.told || tried) && self.cost_of(engine, &stretch) < cost
        });
        let walks = walks || self.is_tried(engine, rows);
        self.is_indexed() && self.sample.matches <= few && (rows <= self.limits.few / 4 || !walks)
    }

    /// About so many users are beyond the place asked for and within what bounds the order.
    pub(in super::super) fn left(&self) -> u64 {
        self.sample.each().saturating_mul(self.within().len() as u64)
    }

    /// What passed which tests, of those of the sample who are beyond the place asked for and within what bounds the
    /// order.
    fn within(&self) -> Vec<&Vec<bool>> {
        let beyond = self.sample.beyond().iter().map(|sampled| &sampled.passed);
        beyond.filter(|passed| passed.iter().enumerate().all(|(at, passed)| *passed || !self.is_bound(at))).collect()
    }

    fn is_bound(&self, at: usize) -> bool {
        self.tests.get(at).is_some_and(|test| self.order.is_bound(test))
    }

    /// Whether a walk may come to the end of the order, by the sample: to find out costs as much as to walk.
    pub(super) fn may_end(&self, walk: &Walk) -> bool {
        walk.rows.saturating_mul(2).unsigned_abs() >= self.left()
    }
}
