export { addProjectionAdmin, PROJECTION_PROBLEMS } from './add-projection-admin.js'
