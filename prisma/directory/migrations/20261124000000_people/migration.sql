CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE person (
  user_id uuid NOT NULL,
  tenant_id text NOT NULL,
  user_name text NOT NULL,
  display_name text NOT NULL,
  given_name text,
  family_name text,
  primary_email text,
  emails jsonb NOT NULL,
  email_keys text[] NOT NULL,
  name jsonb,
  phone text,
  locale text,
  timezone text,
  attributes jsonb NOT NULL,
  status text NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  -- What a search looks at: display name, user name and first address, folded by the projection (search-text.ts).
  search_text text COLLATE "C" NOT NULL,
  CONSTRAINT person_pkey PRIMARY KEY (user_id)
) WITH (fillfactor = 85);

-- Serves substrings and misspellings; a prefix is a substring too.
CREATE INDEX person_search_text ON person USING gin (search_text gin_trgm_ops);
CREATE INDEX person_email_keys ON person USING gin (email_keys);
