//! Several nodes on one authority, in real time: rows in memory, and a real Redis.

#[cfg(test)]
mod authorities;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod support;
