//! `Geo` as its users see it, over files written here in the schemas of their vendors.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod merging;
#[cfg(test)]
mod refreshing;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod writing;
