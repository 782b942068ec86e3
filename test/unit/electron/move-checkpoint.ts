// Moves a checkpoint as from one drive to another, for a test that kills it: DATA-FOLDER ID TO.
import { planMoves } from '../../../electron/services/checkpoint-move-plan.ts'
import { Library } from '../../../electron/services/library.ts'
import { contextOn, control } from './context.ts'

const [dataFolder, id, to] = process.argv.slice(2)
const context = contextOn(dataFolder!)
const library = new Library(context)
const [plan] = await planMoves(context, [library.row(Number(id))], to!)
process.send!('moving')
const steps = library.moves.steps({ ...plan!, renames: false }, control)
while (!(await steps.next()).done);
// It waits to be killed.
setInterval(() => {}, 1000)
