// How `exit`, `return`, `break` and `continue` leave the tree: thrown values, caught where they end.

export class Exit {
  readonly exit: number;
  constructor(exit: number) {
    this.exit = exit;
  }
}

export class Return {
  readonly exit: number;
  constructor(exit: number) {
    this.exit = exit;
  }
}

export class Break {
  readonly levels: number;
  constructor(levels: number) {
    this.levels = levels;
  }
}

export class Continue {
  readonly levels: number;
  constructor(levels: number) {
    this.levels = levels;
  }
}
