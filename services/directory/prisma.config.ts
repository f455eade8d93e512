import { defineConfig } from 'prisma/config'

export default defineConfig({
  schema: '../../prisma/directory/schema.prisma',
  migrations: { path: '../../prisma/directory/migrations' },
})
