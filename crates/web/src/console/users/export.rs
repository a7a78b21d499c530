//! Exporting the list: which format, which columns, and the file.

use axum::{extract::RawQuery, response::Response};
use denizen_model::{jobs::UserSet, permissions::markers::UsersExport, validation::FieldErrors};
use denizen_ops::{Error, jobs};
use serde::Serialize;

use super::bulk::list_query;
use crate::{
    api::users::export::{Column, Wanted, stream},
    console::{
        Answer, PageError,
        forms::{Errors, Fields, Posted, mendable_in},
        frame::{At, ConsoleCx, Section},
        jobs::readable,
        words::count,
    },
};

#[derive(Serialize)]
struct ExportPage {
    who: String,
    query: String,
    format: String,
    columns: Vec<Choice>,
    cancel_href: String,
    errors: Errors,
}

#[derive(Serialize)]
struct Choice {
    name: &'static str,
    label: &'static str,
    chosen: bool,
}

/// What is ticked at first.
const USUAL: &[&str] = &["id", "username", "email", "phone", "name", "enabled", "last_sign_in_at", "created_at"];

pub(super) async fn ask(page: ConsoleCx, RawQuery(query): RawQuery) -> Answer {
    page.may::<UsersExport>()?;
    let query = query.as_deref().unwrap_or("");
    let columns = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "columns").map(|(_, value)| value);
    let chosen: Vec<&str> = columns.as_deref().map_or_else(|| USUAL.to_vec(), |names| names.split(',').collect());
    show(&page, list_query(query), "csv", &chosen, Errors::new()).await
}

async fn show(page: &ConsoleCx, query: String, format: &str, chosen: &[&str], errors: Errors) -> Answer {
    let set = UserSet::Filter { query: query.clone(), expected_count: None };
    let found = jobs::preview(page.app(), page.cx(), page.may()?, set).await?;
    let total = count(found.total.count, "user", "users");
    let about = if found.total.exact { "" } else { "About " };
    let column =
        |(_, name, label): &(Column, &'static str, &'static str)| Choice { name, label, chosen: chosen.contains(name) };
    let fine = errors.is_empty();
    let content = ExportPage {
        who: format!("{about}{total}: {}", readable(&query)),
        cancel_href: if query.is_empty() { page.href("users") } else { format!("{}?{query}", page.href("users")) },
        query,
        format: format.to_owned(),
        columns: Column::FIELDS.iter().map(column).collect(),
        errors,
    };
    let at = At::under(Section::Users, &[("Users", page.href("users"))], "Export users");
    let template = "console/users/export.html";
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn send(page: ConsoleCx, Posted(typed): Posted) -> Result<Response, PageError> {
    let query = list_query(typed.text("query"));
    let joint = if query.is_empty() { "" } else { "?" };
    let back = format!("{}{joint}{query}", page.href("users/export"));
    let may = page.may::<UsersExport>().map_err(|error| PageError::from(error).back_to(&back))?;
    let result = match read(&typed, &query) {
        Ok(wanted) => stream(page.app(), page.cx(), may, wanted).await,
        Err(errors) => Err(Error::invalid(errors)),
    };
    match result {
        Ok(file) => Ok(file),
        Err(error) => {
            let errors = mendable_in(error, &["columns"])?;
            // What is wrong with the list's own parameters cannot be mended here.
            let query = if errors.contains_key("form") { String::new() } else { query };
            show(&page, query, typed.text("format"), &typed.all("columns"), errors).await
        }
    }
}

fn read(typed: &Fields, query: &str) -> Result<Wanted, FieldErrors> {
    let columns = typed.all("columns");
    if columns.is_empty() && typed.text("format") != "jsonl" {
        return Err(FieldErrors::one("columns", "Choose at least one column."));
    }
    let mut parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    parameters.push(("format".to_owned(), typed.text("format").to_owned()));
    parameters.extend(columns.into_iter().map(|column| ("columns".to_owned(), column.to_owned())));
    Wanted::read(&parameters)
}
