;; Fills its whole memory over and over: much work for little fuel.
(module
  (memory (export "memory") 256)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216))
      (br $again))
    (i64.const 0)))
