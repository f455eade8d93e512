/** The address of an act on a projection. */
export const projectionPath = (name: string, act: 'pause' | 'resume' | 'rebuild') =>
  `/admin/projections/${encodeURIComponent(name)}/${act}`
