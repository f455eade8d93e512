// The rows of infra/adr/0002: a package imports strictly lower rows only, and never a sibling of its own row.
const ROWS = [
  ['libs/errors'],
  ['libs/config', 'libs/events', 'libs/observability'],
  ['libs/kafka', 'libs/database', 'libs/http'],
  ['libs/outbox', 'libs/projections', 'libs/audit-trail'],
  ['services/user-registry', 'services/directory'],
  ['services/ops-cli'],
  ['infra/bench', 'infra/e2e'],
]
const ours = '(?:libs|services|infra)/[^/]+'
const anyOf = (packages) => `^(?:${packages.join('|')})/`

const rowRules = ROWS.flatMap((row, depth) =>
  row.map((from) => ({
    name: `${from.replace('/', '-')}-imports-lower-rows-only`,
    comment: `${from} stands in row ${depth}; it may import rows above it in this file only.`,
    severity: 'error',
    from: { path: `^${from}/(?:src|bin)/` },
    to: {
      path: `^${ours}/`,
      pathNot: [`^${from}/`, ...ROWS.slice(0, depth).map(anyOf), ...(from.startsWith('infra/') ? ['^infra/dev/'] : [])],
    },
  })),
)

export default {
  forbidden: [
    ...rowRules,
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'the-stack-knows-no-product',
      comment: 'infra/dev starts things; it imports errors and config only.',
      severity: 'error',
      from: { path: '^infra/dev/(?:src|bin)/' },
      to: { path: `^${ours}/`, pathNot: ['^infra/dev/', '^libs/(?:errors|config)/'] },
    },
    {
      name: 'kafkajs-in-libs-kafka-only',
      severity: 'error',
      from: { pathNot: '^(?:libs/kafka/|infra/bench/)' },
      to: { path: '(?:^|/)kafkajs(?:/|$)' },
    },
    {
      name: 'testing-is-for-tests',
      comment: 'A ./testing entry is imported from tests, other ./testing code, bench and e2e.',
      severity: 'error',
      from: { path: `^${ours}/src/`, pathNot: ['/src/testing/', '^infra/(?:bench|e2e)/'] },
      to: { path: '/(?:src|dist)/testing/' },
    },
    {
      name: 'no-deep-import',
      comment: 'A package is imported by its name, never by a path into its folders.',
      severity: 'error',
      from: { path: `^(${ours})/` },
      to: { path: `^${ours}/src/`, pathNot: '^$1/' },
    },
    {
      name: 'no-undeclared-dependency',
      severity: 'error',
      from: { path: `^${ours}/src/` },
      to: { dependencyTypes: ['npm-no-pkg', 'unknown', 'undetermined'], pathNot: `^${ours}/` },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: '/generated/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
    moduleSystems: ['es6'],
  },
}
