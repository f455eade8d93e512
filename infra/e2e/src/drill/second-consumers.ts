import type { ServiceProcess } from '../stack/service-process.js'
import type { Scene } from './scene.js'

/** Shifts of a second directory with its counter: at a quarter of the kills they join, at half they are killed, at three quarters they join again. */
export function createShift(
  scene: Scene,
  report: (line: string) => void,
): (kill: number, ofKills: number) => Promise<void> {
  let second: readonly ServiceProcess[] = []
  return async (kill, ofKills) => {
    const at = (share: number) => kill === Math.floor(ofKills * share)
    if (at(0.25)) {
      second = await scene.secondConsumers()
      await Promise.all(second.map((one) => one.start()))
      report('a second directory and a second counter have joined')
    } else if (at(0.5)) {
      await Promise.all(second.map((one) => one.kill('SIGKILL')))
      report('the second directory and counter were killed')
    } else if (at(0.75)) {
      await Promise.all(second.map((one) => one.start()))
      report('the second directory and counter have joined again')
    }
  }
}
