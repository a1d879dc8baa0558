;; Takes table elements until it is refused, and answers with how many it got, in 4 bytes.
(module
  (memory (export "memory") 2)
  (table $table 1 funcref)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64)
    (loop $again (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1)) (i32.const -1))))
    (i32.store (i32.const 1024) (table.size $table))
    (i64.const 0x40000000004)))
