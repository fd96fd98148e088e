//! Lists that are put together in memory: how names are ordered, and how a list is cut into pages.

use innkeeper_wire::api::Page;

/// A name in parts, numbers by their value: `web-9` comes before `web-10`.
#[must_use]
pub fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, String)> = vec![Default::default()];
    for c in name.chars() {
        let (text, digits) = parts.last_mut().expect("there is always one");
        match (c.is_ascii_digit(), digits.is_empty()) {
            (true, _) => digits.push(c),
            (false, true) => text.push(c),
            (false, false) => parts.push((c.to_string(), String::new())),
        }
    }
    let parts = parts.into_iter();
    parts
        .map(|(text, digits)| (text, digits.parse().unwrap_or(0)))
        .collect()
}

/// Up to `limit` entries of a whole list behind the one that `after` names. A list whose entry is gone meanwhile begins
/// anew.
#[must_use]
pub fn page_behind<T, N: Eq + ToString>(
    entries: Vec<T>,
    name: impl Fn(&T) -> N,
    after: Option<&N>,
    limit: usize,
) -> Page<T> {
    let behind = after.and_then(|after| entries.iter().position(|entry| name(entry) == *after));
    let mut rest = entries
        .into_iter()
        .skip(behind.map_or(0, |place| place + 1));
    let data: Vec<T> = rest.by_ref().take(limit).collect();
    let has_more = rest.next().is_some();
    let last = data.last().filter(|_| has_more);
    let next = last.map(|last| name(last).to_string());
    Page::part(data, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_by_their_value() {
        let mut names = ["web-10", "web", "web-9", "db-2", "web-9a", "a1b2", "a1b10"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(
            names,
            ["a1b2", "a1b10", "db-2", "web", "web-9", "web-9a", "web-10"]
        );
    }

    #[test]
    fn pages_of_a_list_hold_each_entry_once() {
        let entries = [5_u32, 4, 3, 2, 1];
        let page = |after: Option<u32>, limit| {
            let page = page_behind(entries.to_vec(), |entry| *entry, after.as_ref(), limit);
            assert_eq!(page.page.has_more, page.page.next.is_some());
            (page.data, page.page.next)
        };
        assert_eq!(page(None, 2), (vec![5, 4], Some("4".to_owned())));
        assert_eq!(page(Some(4), 2), (vec![3, 2], Some("2".to_owned())));
        assert_eq!(page(Some(2), 2), (vec![1], None));
        assert_eq!(page(Some(3), 2), (vec![2, 1], None));
        assert_eq!(page(Some(1), 2), (vec![], None));
        assert_eq!(page(Some(9), 9), (entries.to_vec(), None));
    }
}
