//! A report as tables in Markdown.

use std::fmt::Write as _;

use super::{Figure, LIMITS, Report, number, share, thousands};

/// All tables: limits, work, lists, what is beyond what is aimed for, and how lists grow.
pub(super) fn tables(report: &Report) -> String {
    let places = report.places();
    [
        heading(report),
        limits(report),
        work(report, &places),
        lists(report, &places),
        misses(report),
        growth(report, &places),
    ]
    .concat()
}

/// A database with a population.
type Place<'r> = (&'r str, u64);

impl Report {
    /// Databases with their populations, in the order in which they were measured.
    fn places(&self) -> Vec<Place<'_>> {
        distinct(self.figures.iter().filter_map(|figure| Some((figure.group.as_str(), figure.users?))))
    }

    fn at<'r>(&'r self, place: &Place<'r>) -> impl Iterator<Item = &'r Figure> {
        let place = *place;
        self.figures.iter().filter(move |figure| (figure.group.as_str(), figure.users) == (place.0, Some(place.1)))
    }

    fn classes(&self) -> Vec<&'static str> {
        distinct(self.figures.iter().filter_map(|figure| figure.class))
    }
}

fn heading(report: &Report) -> String {
    let machine = &report.machine;
    let mut out = format!(
        "Measured {} on {} ({} cores, {} MiB), Linux {}; server, database and load generator on the same machine.\n",
        report.at.split('T').next().unwrap_or(""),
        machine.cpu,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
    );
    for (what, text) in &report.about {
        let _ = writeln!(out, "* {what}: {text}");
    }
    out
}

fn limits(report: &Report) -> String {
    let mut out = "\n## Limits\n\n| limit | figure |\n|---|--:|\n".to_owned();
    for figure in report.figures.iter().filter(|figure| figure.group == LIMITS) {
        let _ = writeln!(out, "| {} | {} {} |", figure.name, number(figure.value), figure.unit);
    }
    out
}

fn work(report: &Report, places: &[Place<'_>]) -> String {
    let mut out = format!("\n## Work\n\n| | {} |\n|---|{}\n", heads(places), "--:|".repeat(places.len()));
    let measured = |figure: &&Figure| figure.users.is_some() && figure.class.is_none();
    for name in distinct(report.figures.iter().filter(measured).map(|figure| figure.name.as_str())) {
        let told = |figure: &Figure| match figure.ratio {
            Some(ratio) => format!("{} ({})", number(figure.value), share(ratio)),
            None => number(figure.value),
        };
        let cell =
            |place: &Place<'_>| report.at(place).find(|figure| figure.name == name).map_or_else(String::new, told);
        let unit = report.figures.iter().find(|figure| figure.name == name).map_or("", |figure| figure.unit);
        let cells: Vec<String> = places.iter().map(cell).collect();
        let _ = writeln!(out, "| {name}, {unit} | {} |", cells.join(" | "));
    }
    out
}

fn lists(report: &Report, places: &[Place<'_>]) -> String {
    let lines = "--:|".repeat(places.len());
    let mut out = format!("\n## Lists and searches\n\n| | lists | {} |\n|---|--:|{lines}\n", heads(places));
    for class in report.classes() {
        let of = |place| report.at(place).filter(|figure| figure.class == Some(class)).collect::<Vec<_>>();
        let cell = |place| {
            let figures = of(place);
            let worst = |value: fn(&Figure) -> Option<f64>| {
                figures.iter().filter_map(|figure| value(figure)).fold(0.0, f64::max)
            };
            format!("{:.1} / {:.1}", worst(|figure| figure.p50_ms), worst(|figure| figure.p99_ms))
        };
        let cells: Vec<String> = places.iter().map(cell).collect();
        let count = places.iter().map(|place| of(place).len()).max().unwrap_or(0);
        let _ = writeln!(out, "| {class} | {count} | {} |", cells.join(" | "));
    }
    out
}

/// Lists that take longer than is aimed for.
fn misses(report: &Report) -> String {
    let mut out = String::new();
    for figure in &report.figures {
        let (Some(p99), Some(goal), Some(users)) = (figure.p99_ms, figure.goal_ms, figure.users) else { continue };
        if p99 > goal {
            let (group, users, name) = (&figure.group, thousands(users), &figure.name);
            let _ = writeln!(out, "* {group}, {users} users: {name}: p99 {p99:.1} ms, aimed for are {goal:.0}");
        }
    }
    if out.is_empty() { out } else { format!("\n## Beyond what is aimed for\n\n{out}") }
}

/// How many times as long lists take in the largest population of each database as in the smallest, by medians.
fn growth(report: &Report, places: &[Place<'_>]) -> String {
    let groups: Vec<(Place<'_>, Place<'_>)> = distinct(places.iter().map(|(group, _)| *group))
        .into_iter()
        .filter_map(|group| {
            let mut own = places.iter().filter(|place| place.0 == group).copied();
            Some((own.next()?, own.next_back()?))
        })
        .collect();
    if groups.is_empty() {
        return String::new();
    }
    let heads: Vec<String> = groups
        .iter()
        .map(|((group, few), (_, many))| {
            format!(
                "{group}, {} to {}: at most twice | all together | median | largest",
                thousands(*few),
                thousands(*many)
            )
        })
        .collect();
    let lines = "--:|--:|--:|--:|".repeat(groups.len());
    let mut out = format!("\n## Growth\n\n| | {} |\n|---|{lines}\n", heads.join(" | "));
    let classes = report.classes().into_iter().map(Some);
    for class in classes.chain([None]) {
        let cells: Vec<String> = (groups.iter())
            .map(|(few, many)| {
                let of_class = |figure: &&Figure| figure.class.is_some() && (class.is_none() || figure.class == class);
                let pairs = report.at(many).filter(of_class).filter_map(|figure| {
                    let before = report.at(few).find(|other| other.name == figure.name)?;
                    Some((before.p50_ms?, figure.p50_ms?))
                });
                grown(&pairs.collect::<Vec<_>>())
            })
            .collect();
        let _ = writeln!(out, "| {} | {} |", class.unwrap_or("all lists"), cells.join(" | "));
    }
    out
}

/// What pairs of medians tell about growth: how many are at most twice as long, and the ratio of all together, the
/// median and the largest one.
fn grown(pairs: &[(f64, f64)]) -> String {
    let mut ratios: Vec<f64> = pairs.iter().map(|(before, after)| after / before).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let (Some(median), Some(largest)) = (ratios.get(ratios.len() / 2), ratios.last()) else {
        return " | | | ".to_owned();
    };
    let held = ratios.iter().filter(|ratio| **ratio <= 2.0).count();
    let (before, after) = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    format!("{held} of {} | {:.1} | {median:.1} | {largest:.1}", ratios.len(), after / before)
}

fn heads(places: &[Place<'_>]) -> String {
    let heads: Vec<String> = places.iter().map(|(group, users)| format!("{group}, {}", thousands(*users))).collect();
    heads.join(" | ")
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut out = Vec::new();
    for item in items {
        if !out.contains(&item) {
            out.push(item);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_of_each_and_of_all_together() {
        assert_eq!(grown(&[(1.0, 1.0), (1.0, 3.0), (8.0, 16.0)]), "2 of 3 | 2.0 | 2.0 | 3.0");
        assert_eq!(grown(&[]), " | | | ");
    }
}
