CREATE TYPE user_status AS ENUM ('active', 'suspended', 'deleted');

CREATE TABLE user_account (
  id uuid NOT NULL,
  tenant_id text NOT NULL,
  user_name text NOT NULL,
  user_name_key text COLLATE "C" NOT NULL,
  emails jsonb NOT NULL,
  name jsonb,
  phone text,
  locale text,
  timezone text,
  attributes jsonb NOT NULL,
  status user_status NOT NULL,
  status_before_deletion user_status,
  version bigint NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  deleted_at timestamptz(3),
  purge_at timestamptz(3),
  import_hash bytea,
  CONSTRAINT user_account_pkey PRIMARY KEY (id),
  CONSTRAINT user_account_user_name_unique UNIQUE (tenant_id, user_name_key),
  CONSTRAINT user_account_deletion_whole CHECK ((status = 'deleted') = (deleted_at IS NOT NULL AND purge_at IS NOT NULL))
) WITH (fillfactor = 90);

CREATE INDEX user_account_created ON user_account (tenant_id, created_at, id);
CREATE INDEX user_account_updated ON user_account (tenant_id, updated_at, id);

-- No foreign key to user_account: both are written by one statement, and the check costs a row lock and a lookup per
-- address on the hottest path.
CREATE TABLE user_email (
  tenant_id text NOT NULL,
  email_key text COLLATE "C" NOT NULL,
  user_id uuid NOT NULL,
  CONSTRAINT user_email_unique PRIMARY KEY (tenant_id, email_key)
);

CREATE TABLE idempotency_key (
  tenant_id text NOT NULL,
  principal text NOT NULL,
  key text COLLATE "C" NOT NULL,
  request_hash bytea NOT NULL,
  status smallint,
  body text NOT NULL,
  created_at timestamptz(3) NOT NULL,
  CONSTRAINT idempotency_key_unique PRIMARY KEY (tenant_id, principal, key)
);

CREATE INDEX idempotency_key_created ON idempotency_key (created_at);
