/** On whose behalf a request acts, and in which tenant. */
export interface Principal {
  readonly tenantId: string
  readonly actor: { readonly type: 'user' | 'service' | 'system'; readonly id: string }
}

/** Everybody, until callers carry tokens: the server listens on loopback only. */
export const LOCAL_PRINCIPAL: Principal = { tenantId: 'default', actor: { type: 'service', id: 'local' } }
