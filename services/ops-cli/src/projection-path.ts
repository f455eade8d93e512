/** The address of a projection, or of what stands below it in the admin API. */
export const projectionPath = (name: string, ...below: readonly string[]) =>
  ['/admin/projections', ...[name, ...below].map(encodeURIComponent)].join('/')
