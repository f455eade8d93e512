import { defineConfig } from 'prisma/config'

export default defineConfig({
  schema: '../../prisma/user-registry/schema.prisma',
  migrations: { path: '../../prisma/user-registry/migrations' },
})
