-- The teams whose members find an API whose visibility is `teams`, beside its owner.
CREATE TABLE api_audience (
    api_id BLOB NOT NULL,
    team_id BLOB NOT NULL,
    tenant_id BLOB NOT NULL,
    PRIMARY KEY (api_id, team_id),
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id)
) STRICT;
CREATE INDEX api_audience_team ON api_audience (team_id);
