//! Which part of a list is wanted.

use std::str::FromStr;

use innkeeper_wire::{
    api::{ListQuery, PAGE_DEFAULT, PAGE_MAX},
    error::ProblemCode,
};

use super::error::Refused;

/// Behind which entry a list goes on, and a bounded number of entries.
pub(crate) struct Slice<T> {
    pub(crate) after: Option<T>,
    pub(crate) limit: usize,
}

/// Checks what a list is asked for.
pub(crate) fn slice<T: FromStr>(
    ListQuery { limit, after }: ListQuery,
) -> Result<Slice<T>, Refused> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refused::because(
            ProblemCode::BadRequest,
            "`limit` is a number from 1 to 200",
        ));
    }
    let after = after.map(|after| after.parse()).transpose();
    let after = after.map_err(|_| {
        Refused::because(
            ProblemCode::BadRequest,
            "`after` is `page.next` of the previous answer",
        )
    })?;
    Ok(Slice { after, limit })
}
