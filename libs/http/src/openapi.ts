import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'
import type { App } from './create-app.js'

/** Adds `/openapi.json` (OpenAPI 3.1, from the routes' schemas) and `/docs`, a page whose parts all come from here. */
export async function addOpenApi(
  app: App,
  { title, description }: { readonly title: string; readonly description?: string },
  version: string,
): Promise<void> {
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title, version, ...(description === undefined ? {} : { description }) } },
    transform: jsonSchemaTransform,
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { docExpansion: 'list', tryItOutEnabled: true, validatorUrl: null },
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}
