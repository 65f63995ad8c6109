//! Facts about the installation as a whole.

use gatewright_model::state::Word;
use sea_query::{Expr, OnConflict, Query};

use crate::error::StoreError;
use crate::row::is;
use crate::tx::repository;

gatewright_model::words! {
    /// A fact about the installation.
    MetaKey {
        /// Tells whether the store was made under the master key at hand.
        MasterKeyCheck = "master_key_check",
        /// The installation's own id.
        InstallationId = "installation_id",
        /// A secret for the first sign-in, hashed; removed when used.
        SetupSecret = "setup_secret",
        /// What the demo made, so that it can be taken out again.
        DemoContent = "demo_content",
    }
}

repository! {
    /// Facts about the installation.
    Meta via meta
}

impl Meta<'_> {
    /// A fact, when it was set.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn get(self, key: MetaKey) -> Result<Option<String>, StoreError> {
        let mut select = Query::select();
        select
            .column("value")
            .from("meta")
            .and_where(is("key", &key.as_str().to_owned()));
        let row = self.0.conn.fetch_optional(&select).await?;
        row.map(|row| row.take("meta", "value")).transpose()
    }

    /// Sets a fact unless somebody did before, and returns the one that holds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set_once(self, key: MetaKey, value: &str) -> Result<String, StoreError> {
        let mut insert = Query::insert();
        insert
            .into_table("meta")
            .columns(["key", "value"])
            .values_panic([Expr::val(key.as_str()), Expr::val(value)])
            .on_conflict(OnConflict::column("key").do_nothing().to_owned());
        self.0.conn.execute(&insert).await?;
        let held = self.0.meta().get(key).await?;
        Ok(held.unwrap_or_else(|| value.to_owned()))
    }

    /// Sets a fact, whatever held before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set(self, key: MetaKey, value: &str) -> Result<(), StoreError> {
        let mut insert = Query::insert();
        insert
            .into_table("meta")
            .columns(["key", "value"])
            .values_panic([Expr::val(key.as_str()), Expr::val(value)])
            .on_conflict(OnConflict::column("key").update_column("value").to_owned());
        self.0.conn.execute(&insert).await.map(drop)
    }

    /// Forgets a fact; `false` when there was none. Of two who try at once one gets `true`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove(self, key: MetaKey) -> Result<bool, StoreError> {
        let mut delete = Query::delete();
        delete
            .from_table("meta")
            .and_where(is("key", &key.as_str().to_owned()));
        Ok(self.0.conn.execute(&delete).await? > 0)
    }
}
