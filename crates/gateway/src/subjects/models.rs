//! Changes of keys and applications beside those who look them up, in every
//! order that the memory model allows.

use std::sync::Arc;

use gatewright_coordination::modelling::{explore, joined, spawn};
use gatewright_model::consumer::CredentialState;
use gatewright_model::time::Timestamp;

use super::*;
use crate::testing::{application, credential, id, subscription};

const NOW: Timestamp = Timestamp::from_millis(1);

fn consumer(seq: i64) -> [Delta; 3] {
    [
        Delta::Credential(credential(seq, 1, 1)),
        Delta::Subscription(subscription(seq, 1, 1, 1)),
        Delta::Application(application(seq, 1)),
    ]
}

fn revoked(seq: i64) -> Delta {
    Delta::Credential(gatewright_model::snapshot::CredentialDelta {
        state: CredentialState::Revoked,
        ..credential(seq, 1, 1)
    })
}

#[test]
fn who_finds_a_key_finds_what_it_opens() {
    explore(|| {
        let subjects = Arc::new(Subjects::default());
        let changing = Arc::clone(&subjects);
        let change = spawn(move || changing.apply(&consumer(5), 5));
        if let Some(key) = subjects.credential(&credential(5, 1, 1).hash) {
            let found = subjects.application(key.application_id).expect("its application");
            assert!(found.head.is_some() && found.subscriptions.len() == 1);
        }
        joined(change);
    });
}

#[test]
fn who_is_told_of_a_change_sees_it() {
    explore(|| {
        let subjects = Arc::new(Subjects::default());
        subjects.apply(&consumer(5), 5);
        let changing = Arc::clone(&subjects);
        let change = spawn(move || changing.apply(&[revoked(9)], 9));
        let told = subjects.applied();
        let key = subjects
            .credential(&credential(5, 1, 1).hash)
            .expect("it was there before");
        assert!(told < 9 || !key.works(NOW), "a revoked key works");
        assert!(subjects.applied() >= told, "time runs backwards");
        joined(change);
    });
}

#[test]
fn of_two_changes_the_newer_one_stays() {
    explore(|| {
        let subjects = Arc::new(Subjects::default());
        let (one, other) = (Arc::clone(&subjects), Arc::clone(&subjects));
        let late = spawn(move || one.apply(&consumer(3), 3));
        let revocation = spawn(move || other.apply(&[revoked(9)], 9));
        joined(late);
        joined(revocation);
        let key = subjects
            .credential(&credential(3, 1, 1).hash)
            .expect("both made it");
        assert!(!key.works(NOW) && subjects.application(id(1)).is_some());
        assert_eq!((subjects.applied(), subjects.credential_count()), (9, 1));
    });
}
