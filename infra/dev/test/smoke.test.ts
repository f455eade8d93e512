import { testEndpoints } from '@rollcall/dev'

test('the endpoints of the run are there', () => {
  expect(testEndpoints().kafka).toMatch(/127/)
})
