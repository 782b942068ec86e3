import { dataFilesBeside } from './own-task/task-file.ts'
import { labelFileOf } from './read-task.ts'

/** Where what is read beside a task file lies: its labels, which need not be there, and the data that a description names. */
export const filesBesideTask = (file: string): string[] => [labelFileOf(file), ...dataFilesBeside(file)]
