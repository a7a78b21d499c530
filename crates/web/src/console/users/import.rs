//! Importing users: the file, what its columns are, then the job's own page.

use axum::extract::{FromRequestParts, Multipart, multipart::MultipartRejection};
use denizen_model::{
    JobId,
    imports::{ImportField, ImportFormat, ImportMode, Mapping},
    permissions::markers::UsersWrite,
};
use denizen_ops::users::import::{self, Options, Preview};
use http::request::Parts;
use serde::Serialize;

use super::path_id;
use crate::{
    card::see_other,
    console::{
        Answer, PageError,
        forms::{Errors, Fields, Posted, mendable_in},
        frame::{At, ConsoleCx, Section},
        jobs::job_href,
        words::count,
    },
    upload,
};

#[derive(Serialize)]
struct UploadPage {
    errors: Errors,
}

#[derive(Serialize)]
struct ColumnsPage {
    action: String,
    sub: String,
    columns: Vec<ColumnView>,
    mode: String,
    dry_run: bool,
    errors: Errors,
}

#[derive(Serialize)]
struct ColumnView {
    /// The name of its form field.
    field: String,
    name: String,
    chosen: String,
    options: Vec<FieldOption>,
    samples: Vec<String>,
}

#[derive(Serialize)]
struct FieldOption {
    value: String,
    label: String,
}

fn at(page: &ConsoleCx) -> At {
    At::under(Section::Users, &[("Users", page.href("users"))], "Import users")
}

pub(super) async fn show(page: ConsoleCx) -> Answer {
    page.may::<UsersWrite>()?;
    upload_page(&page, Errors::new())
}

fn upload_page(page: &ConsoleCx, errors: Errors) -> Answer {
    let (template, content) = ("console/users/import.html", UploadPage { errors });
    if content.errors.is_empty() {
        page.page(template, at(page), &content)
    } else {
        page.refused(template, at(page), &content)
    }
}

/// How a file is written, by its name.
fn format_of(name: &str) -> ImportFormat {
    let name = name.to_ascii_lowercase();
    let lines = [".jsonl", ".ndjson", ".json"].iter().any(|end| name.ends_with(end));
    if lines { ImportFormat::Jsonl } else { ImportFormat::Csv }
}

pub(super) async fn upload(page: ConsoleCx, form: Result<Multipart, MultipartRejection>) -> Answer {
    let may = page.may::<UsersWrite>()?;
    let refused = |text: &str| upload_page(&page, Errors::from([("file".to_owned(), text.to_owned())]));
    let Ok(mut form) = form else { return refused("Choose a file.") };
    loop {
        let Ok(field) = form.next_field().await else { return refused("The connection ended before the file did.") };
        let Some(field) = field else { return refused("Choose a file.") };
        if field.name() != Some("file") {
            continue;
        }
        let name = field.file_name().unwrap_or_default().to_owned();
        if name.is_empty() {
            return refused("Choose a file.");
        }
        return match upload::receive(page.app(), page.cx(), &may, format_of(&name), field).await {
            Ok(id) => Ok(see_other(&page.href(&format!("users/import/{id}")))),
            Err(error) => upload_page(&page, mendable_in(error, &["file"])?),
        };
    }
}

/// The `{upload}` of the path.
pub(super) struct Uploaded(JobId);

impl<S: Send + Sync> FromRequestParts<S> for Uploaded {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "upload").await?))
    }
}

pub(super) async fn columns(page: ConsoleCx, Uploaded(id): Uploaded) -> Answer {
    let preview = import::preview(page.app(), page.cx(), &page.may()?, id).await?;
    columns_page(&page, id, &preview, None, Errors::new())
}

fn columns_page(page: &ConsoleCx, id: JobId, preview: &Preview, typed: Option<&Fields>, errors: Errors) -> Answer {
    let columns = preview.columns.iter().enumerate().map(|(at, (name, guessed))| {
        let field = format!("column-{at}");
        let guessed = guessed.as_ref().map(ToString::to_string).unwrap_or_default();
        let chosen = typed.map_or(guessed.clone(), |typed| typed.text(&field).to_owned());
        let samples = preview.first.iter().filter_map(|row| row.get(at)).filter(|text| !text.trim().is_empty());
        ColumnView {
            options: options(name, &guessed),
            samples: samples.take(3).cloned().collect(),
            name: name.clone(),
            field,
            chosen,
        }
    });
    let written = match preview.format {
        ImportFormat::Csv => "CSV",
        ImportFormat::Jsonl => "JSON Lines",
    };
    let content = ColumnsPage {
        action: page.href(&format!("users/import/{id}")),
        sub: format!("{} · {written}", count(preview.rows, "row", "rows")),
        columns: columns.collect(),
        mode: typed.map_or(preview.mode.as_str(), |typed| typed.text("mode")).to_owned(),
        dry_run: typed.is_none_or(|typed| typed.ticked("dry_run")),
        errors,
    };
    let template = "console/users/import_columns.html";
    if content.errors.is_empty() {
        page.page(template, at(page), &content)
    } else {
        page.refused(template, at(page), &content)
    }
}

/// What a column can be: each field, and an attribute of its own name.
fn options(name: &str, guessed: &str) -> Vec<FieldOption> {
    let fixed = ImportField::FIXED.iter();
    let mut options: Vec<FieldOption> =
        fixed.map(|(field, label)| FieldOption { value: field.to_string(), label: (*label).to_owned() }).collect();
    let own = name.strip_prefix("attributes.").unwrap_or(name);
    if !own.is_empty() {
        options.push(FieldOption { value: format!("attributes.{own}"), label: format!("Attribute {own}") });
    }
    if let Some(key) = guessed.strip_prefix("attributes.").filter(|key| *key != own) {
        options.push(FieldOption { value: guessed.to_owned(), label: format!("Attribute {key}") });
    }
    options
}

pub(super) async fn start(page: ConsoleCx, Uploaded(id): Uploaded, Posted(typed): Posted) -> Answer {
    let may = page.may::<UsersWrite>()?;
    let preview = import::preview(page.app(), page.cx(), &may, id).await?;
    let mut mapping = Mapping::default();
    let mut errors = Errors::new();
    for (at, (name, _)) in preview.columns.iter().enumerate() {
        let chosen = typed.text(&format!("column-{at}"));
        let field = ImportField::from_name(chosen);
        if field.is_none() && !chosen.is_empty() {
            errors.insert("columns".to_owned(), format!("{name}: choose one of the list."));
        }
        mapping.0.insert(name.clone(), field);
    }
    let mode = ImportMode::from_name(typed.text("mode"));
    if mode.is_none() {
        errors.insert("mode".to_owned(), "Choose one.".to_owned());
    }
    let (Some(mode), true) = (mode, errors.is_empty()) else {
        return columns_page(&page, id, &preview, Some(&typed), errors);
    };
    let options = Options { mapping, mode, dry_run: typed.ticked("dry_run") };
    match import::start(page.app(), page.cx(), &may, id, options).await {
        Ok(job) => Ok(see_other(&job_href(&page, job.id))),
        Err(error) if matches!(*error.kind, denizen_ops::ErrorKind::ReauthenticationRequired) => {
            // Password hashes take a fresh proof of who asks; then the columns are there again.
            Err(PageError::from(error).back_to(&page.href(&format!("users/import/{id}"))))
        }
        Err(error) => columns_page(&page, id, &preview, Some(&typed), mendable_in(error, &["columns"])?),
    }
}
