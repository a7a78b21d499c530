//! Which way is chosen, by what a sample has met. Samples of the same users differ; the ways must not be worlds apart.

use denizen_model::{
    pages::Direction,
    users::{Facet, UserKind},
};

use super::*;
use crate::users::list::{
    LIMITS,
    order::{Bounds, Order, Row},
    sample::Sample,
    sql::Sampled,
};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// A search of a million, of whom a sample of 1,000 has met so many in each thousand who pass the tests, each alone and
/// both.
fn search(sort: UserSort, tests: [Test; 2], met: [usize; 3], engine: Engine) -> Search {
    search_behind(0, sort, tests, met, engine)
}

/// The same behind so many thousandths of the order.
fn search_behind(
    place: i64,
    sort: UserSort,
    tests: [Test; 2],
    [one, other, both]: [usize; 3],
    engine: Engine,
) -> Search {
    search_where(place, sort, tests, engine, |n| {
        // Spread over the whole order, those who pass both among the others.
        let place = n * 383 % 1000;
        [place < one, place < both || (one..one + other - both).contains(&place)]
    })
}

/// The same where this tells which tests the row at each thousandth passes.
fn search_where(
    place: i64,
    sort: UserSort,
    tests: [Test; 2],
    engine: Engine,
    passed: impl Fn(usize) -> [bool; 2],
) -> Search {
    let bounds =
        Bounds { place: (place > 0).then_some(Row { num: place, key: CursorKey::Number(place) }), ..Bounds::default() };
    let rows = (0..1000).map(|n: usize| {
        let passed = passed(n);
        let row = Row { num: i64::try_from(n).unwrap(), key: CursorKey::Number(i64::try_from(n).unwrap()) };
        Sampled { row, passed: passed.into(), in_parts: passed[0], has_middle: passed.into() }
    });
    let order = Order { sort, direction: Direction::Ascending };
    let sample = Sample::of(1_000_000, rows.collect(), order, &bounds, &tests, engine);
    Search { realm_num: 1, order, tests: tests.into(), sample, wanted: 51, limits: LIMITS }
}

fn is_asked(search: &Search, engine: Engine) -> bool {
    search.is_worth_asking(engine, &search.asking(engine), search.limits.few)
}

fn mark(facet: &Facet) -> Test {
    Test::Facet { mark: facet.mark(), present: true }
}

fn word() -> Test {
    Test::contains("gonzalez")
}

#[test]
fn a_short_walk_is_made_though_the_sample_has_met_hardly_anybody() {
    for engine in ENGINES {
        for both in 0..8 {
            let tests = [mark(&Facet::Kind(UserKind::Machine)), mark(&Facet::Enabled(false))];
            let search = search(UserSort::CreatedAt, tests, [60, 60, both], engine);
            assert!(!is_asked(&search, engine), "{engine:?} {both}");
        }
    }
}

#[test]
fn an_index_is_asked_rather_than_a_long_walk_tried_on_a_guess() {
    for engine in ENGINES {
        for both in 0..2 {
            let week = Test::Within { column: "last_sign_in_at", from: 1, until: 2 };
            let search =
                search(UserSort::CreatedAt, [mark(&Facet::Kind(UserKind::Machine)), week], [10, 55, both], engine);
            assert!(is_asked(&search, engine), "{engine:?} {both}");
        }
    }
}

#[test]
fn in_an_order_of_texts_those_with_a_word_are_not_looked_for_on_a_guess() {
    for engine in ENGINES {
        let by = |sort| search(sort, [word(), mark(&Facet::Enabled(false))], [45, 100, 1], engine);
        assert!(is_asked(&by(UserSort::Name), engine), "{engine:?}");
        assert!(!is_asked(&by(UserSort::CreatedAt), engine), "{engine:?}");
    }
}

#[test]
fn in_an_order_of_texts_those_with_marks_alone_are_looked_for_on_a_guess() {
    for both in 0..3 {
        let week = Test::Within { column: "last_sign_in_at", from: 1, until: 2 };
        let search = search(UserSort::Name, [mark(&Facet::Enabled(false)), week], [120, 30, both], Engine::Postgres);
        assert!(!is_asked(&search, Engine::Postgres), "{both}");
    }
}

#[test]
fn words_are_not_looked_for_on_a_walk_that_costs_more_than_asking() {
    let by = |both| {
        let tests = [word(), mark(&Facet::Enabled(false))];
        search(UserSort::CreatedAt, tests, [45, 25, both], Engine::Postgres)
    };
    assert!(is_asked(&by(3), Engine::Postgres));
    assert!(!is_asked(&by(9), Engine::Postgres));
}

#[test]
fn before_so_many_are_found_a_walk_is_tried_though_the_sample_has_matches_far_away() {
    for engine in ENGINES {
        let never = Test::Within { column: "last_sign_in_at", from: 0, until: 1 };
        let tests = [mark(&Facet::Enabled(false)), never];
        let search = search_where(0, UserSort::CreatedAt, tests, engine, |n| [n % 40 == 0, n >= 790]);
        assert!(search.sample.matches > 0 && search.sample.matches <= search.limits.few);
        assert!(search.rows_of_index(&search.asking(engine)) > search.limits.found_rather_than_walked);
        assert!(!is_asked(&search, engine), "{engine:?}");
        assert!(search.walks(engine).first().is_some_and(|walk| walk.among.is_none()), "{engine:?}");
    }
}

#[test]
fn where_those_with_a_word_stand_together_no_long_walk_is_tried_before_they_are_sorted() {
    let longest = |sort, one_of: usize| {
        let tests = [word(), mark(&Facet::Enabled(true))];
        let search = search_where(0, sort, tests, Engine::Postgres, |n| [n % one_of == one_of / 2, true]);
        search.walks(Engine::Postgres).iter().map(|walk| walk.rows).max()
    };
    assert!(longest(UserSort::Email, 40).is_none_or(|rows| rows < 10_000));
    assert!(longest(UserSort::CreatedAt, 40).is_some_and(|rows| rows > 40_000));
    // To sort so many takes longer than any walk.
    assert!(longest(UserSort::Email, 20).is_some_and(|rows| rows > 40_000));
}

#[test]
fn few_with_a_word_and_a_mark_are_looked_for_on_a_walk_rather_than_sorted() {
    let tests = [word(), mark(&Facet::Kind(UserKind::Machine))];
    let search = search(UserSort::Name, tests, [52, 180, 9], Engine::Postgres);
    assert!(search.walks(Engine::Postgres).iter().any(|walk| walk.rows > 10_000));
}

#[test]
fn a_word_that_many_have_is_asked_for_by_its_middle() {
    // Of the rest, those at each so manieth place have the middle of the word, too.
    let parts = |word_of: usize, middle_of: usize| {
        let rows = (0..1000).map(|n: usize| {
            let row = Row { num: i64::try_from(n).unwrap(), key: CursorKey::Number(i64::try_from(n).unwrap()) };
            let has = n.is_multiple_of(word_of);
            Sampled { row, passed: vec![has, true], in_parts: has, has_middle: vec![has || n % middle_of == 1, false] }
        });
        let order = Order { sort: UserSort::CreatedAt, direction: Direction::Ascending };
        let tests = [word(), mark(&Facet::Enabled(true))];
        let sample = Sample::of(1_000_000, rows.collect(), order, &Bounds::default(), &tests, Engine::Postgres);
        [sample.parts_of(0), sample.parts_of(1)]
    };
    assert_eq!(parts(20, 200), [Some(1), Some(2)]);
    assert_eq!(parts(20, 20), [Some(2), Some(2)]);
    assert_eq!(parts(500, 2000), [Some(2), Some(2)]);
}

#[test]
fn what_is_left_at_the_end_is_walked() {
    for engine in ENGINES {
        let week = Test::Within { column: "last_sign_in_at", from: 1, until: 2 };
        let tests = [mark(&Facet::Enabled(false)), week];
        let search = search_behind(990, UserSort::CreatedAt, tests, [180, 27, 5], engine);
        assert!(!is_asked(&search, engine), "{engine:?}");
    }
}

#[test]
fn no_index_is_thought_to_find_fewer_than_match() {
    for engine in ENGINES {
        let search = search(UserSort::CreatedAt, [word(), mark(&Facet::Enabled(false))], [45, 60, 0], engine);
        assert!((2690..=2700).contains(&search.sample.matches));
        assert_eq!(search.rows_of_index(&search.asking(engine)), search.sample.matches, "{engine:?}");
    }
}
