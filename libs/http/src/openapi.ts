import swagger, { type SwaggerTransformObject } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { App } from './app.js'
import { problemSchema } from './problem.js'

/** Adds `/openapi.json` (OpenAPI 3.1, from the routes' schemas) and `/docs`, a page whose parts all come from here. */
export async function addOpenApi(
  app: App,
  { title, description }: { readonly title: string; readonly description?: string },
  version: string,
): Promise<void> {
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title, version, ...(description === undefined ? {} : { description }) } },
    transform: jsonSchemaTransform,
    transformObject: withProblems,
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { docExpansion: 'list', tryItOutEnabled: true, validatorUrl: null },
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}

type Document = ReturnType<SwaggerTransformObject>
type Operation = { responses?: Record<string, unknown> }

// Every operation can answer a problem; said once here, and not at each route.
const withProblems: SwaggerTransformObject = (document) => {
  const openapi = 'openapiObject' in document ? document.openapiObject : {}
  const paths = Object.entries(openapi.paths ?? {}).map(([path, operations]) => [
    path,
    Object.fromEntries(
      Object.entries(operations as Record<string, Operation>).map(([method, operation]) => [
        method,
        { ...operation, responses: { ...operation.responses, default: PROBLEM_RESPONSE } },
      ]),
    ),
  ])
  const components = { ...openapi.components, schemas: { ...openapi.components?.schemas, Problem: PROBLEM_SCHEMA } }
  return { ...openapi, paths: Object.fromEntries(paths), components } as Document
}

const PROBLEM_RESPONSE = {
  description: 'Problem details (RFC 9457).',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

const { $schema: _, ...PROBLEM_SCHEMA } = z.toJSONSchema(problemSchema)
